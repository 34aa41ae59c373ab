package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tenantwall/tenantwall/quota"
)

// document is a plan, or what a tenant's differs in, as the tables have it: in a form of
// its own, so that a field which is renamed in the program stays what it was in the
// database, and that an operator can read.
type document struct {
	Rates       []rateDocument    `json:"rates,omitempty"`
	Concurrency []slotsDocument   `json:"concurrency,omitempty"`
	Units       []unitsDocument   `json:"units,omitempty"`
	Seats       *int              `json:"seats,omitempty"`
	Workflow    *workflowDocument `json:"workflow,omitempty"`
	Features    map[string]string `json:"features,omitempty"`
}

type rateDocument struct {
	Name     string         `json:"name"`
	Limit    int64          `json:"limit"` // -1 for no limit, here as elsewhere
	Per      duration       `json:"per"`
	Burst    int64          `json:"burst,omitempty"`
	WhenAway quota.WhenAway `json:"when_away,omitempty"`
	Shadow   bool           `json:"shadow,omitempty"`
	Lease    bool           `json:"lease,omitempty"`
}

type slotsDocument struct {
	Name     string         `json:"name"`
	Limit    int64          `json:"limit"`
	WhenAway quota.WhenAway `json:"when_away,omitempty"`
	Shadow   bool           `json:"shadow,omitempty"`
}

type unitsDocument struct {
	Name      string         `json:"name"`
	Limit     int64          `json:"limit"`
	Soft      bool           `json:"soft,omitempty"`
	AnchorDay int            `json:"anchor_day,omitempty"`
	Zone      string         `json:"zone,omitempty"`
	WhenAway  quota.WhenAway `json:"when_away,omitempty"`
	Shadow    bool           `json:"shadow,omitempty"`
}

type workflowDocument struct {
	PriorityKey    int     `json:"priority_key,omitempty"`
	FairnessWeight float64 `json:"fairness_weight,omitempty"`
}

// duration is one in the words of [time.ParseDuration].
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// documentOf is a plan without its name and version, which have columns of their own.
func documentOf(p quota.Plan) document {
	d := document{Seats: &p.Seats, Features: p.Features}
	for _, r := range p.Rates {
		d.Rates = append(d.Rates, rateDocument{r.Name, r.Limit, duration(r.Per), r.Burst, r.WhenAway, r.Shadow, r.Lease})
	}
	for _, c := range p.Concurrency {
		d.Concurrency = append(d.Concurrency, slotsDocument(c))
	}
	for _, u := range p.Units {
		d.Units = append(d.Units, unitsDocument(u))
	}
	if p.Workflow != (quota.Workflow{}) {
		d.Workflow = new(workflowDocument(p.Workflow))
	}
	return d
}

// plan is the plan of that name and version.
func (d document) plan(name string, version int64) quota.Plan {
	p := quota.Plan{Name: name, Version: version, Features: d.Features}
	for _, r := range d.Rates {
		p.Rates = append(p.Rates, quota.Rate{
			Name: r.Name, Limit: r.Limit, Per: time.Duration(r.Per), Burst: r.Burst, WhenAway: r.WhenAway, Shadow: r.Shadow, Lease: r.Lease,
		})
	}
	for _, c := range d.Concurrency {
		p.Concurrency = append(p.Concurrency, quota.Concurrency(c))
	}
	for _, u := range d.Units {
		p.Units = append(p.Units, quota.Units(u))
	}
	if d.Seats != nil {
		p.Seats = *d.Seats
	}
	if d.Workflow != nil {
		p.Workflow = quota.Workflow(*d.Workflow)
	}
	return p
}

// text is the JSON of the column: pgx must not be left to guess it, for in some of its
// modes it does not know the type of a parameter.
func (d document) text() (string, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("write as JSON: %w", err)
	}
	return string(text), nil
}

// parse reads a column. A field that this program doesn't know is an error: it may be a
// limit that a newer one has stored, and nobody is admitted past it.
func parse(text []byte) (document, error) {
	var d document
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return document{}, fmt.Errorf("read what is stored, perhaps by a newer program: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return document{}, errors.New("read what is stored: there is more than one document")
	}
	return d, nil
}
