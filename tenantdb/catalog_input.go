package tenantdb

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/tenantwall/tenantwall/tenant"
)

// MaxPlanLen bounds the name of a plan, in bytes.
const MaxPlanLen = 64

// input collects what is not valid of the fields that a caller gave.
type input struct {
	fields []tenant.FieldError
	causes []error
}

func (in *input) add(field string, err error) {
	if err == nil {
		return
	}
	in.fields = append(in.fields, tenant.FieldError{Field: field, Message: err.Error()})
	in.causes = append(in.causes, fmt.Errorf("%s: %w", field, err))
}

// err is nil when all is valid.
func (in *input) err() error {
	if len(in.fields) == 0 {
		return nil
	}
	return &tenant.Error{
		Code:   tenant.CodeValidationFailed,
		Detail: "some fields are not valid",
		Fields: in.fields,
		Err:    errors.Join(in.causes...),
	}
}

func (c *Catalog) checkSlug(slug tenant.Slug) error {
	_, err := tenant.ParseSlug(string(slug), c.cfg.ReservedSlugs...)
	return err
}

func checkName(name string) error {
	if name == "" {
		return errors.New("it is empty")
	}
	return checkText(name, tenant.MaxNameLen)
}

func checkPlan(plan string) error { return checkText(plan, MaxPlanLen) }

// checkText takes text of one line. PostgreSQL takes neither bad UTF-8 nor zeros; other
// control characters would do harm in logs and mails.
func checkText(s string, most int) error {
	if len(s) > most {
		return fmt.Errorf("it has %d bytes, and the most is %d", len(s), most)
	}
	if !utf8.ValidString(s) {
		return errors.New("it is not valid UTF-8")
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return errors.New("it has control characters")
		}
	}
	return nil
}
