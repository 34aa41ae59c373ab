package tenant_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenantwall/tenantwall/tenant"
)

// A function that works for a tenant takes it from the context, and is refused where there
// is none or where it may not be worked for.
func ExampleRequire() {
	export := func(ctx context.Context) error {
		t, err := tenant.Require(ctx)
		if err != nil {
			return err
		}
		fmt.Println("exporting the notes of", t.Name)
		return nil
	}

	acme := tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp", Name: "Acme Corp", Status: tenant.StatusActive}
	ctx := tenant.NewContext(context.Background(), acme) // the middleware of package resolve does this
	fmt.Println(export(ctx))

	acme.Status = tenant.StatusSuspended
	fmt.Println(export(tenant.NewContext(ctx, acme)))
	fmt.Println(errors.Is(export(context.Background()), tenant.ErrRequired))
	// Output:
	// exporting the notes of Acme Corp
	// <nil>
	// tenant_suspended: the tenant is suspended
	// true
}

func ExampleParseSlug() {
	for _, text := range []string{"acme-corp", "Acme", "acme--corp", "www", "careers"} {
		slug, err := tenant.ParseSlug(text, "careers") // a name that this product keeps for itself
		fmt.Printf("%q %v\n", slug, err)
	}
	// Output:
	// "acme-corp" <nil>
	// "" malformed tenant slug: the first character is not a letter a-z
	// "" malformed tenant slug: two hyphens in a row
	// "" malformed tenant slug: the name is reserved
	// "" malformed tenant slug: the name is reserved
}

// A command line or a request that says which tenant, by slug or by id.
func ExampleParseRef() {
	for _, text := range []string{"acme-corp", "01890a5d-ac96-774b-bcce-b302099a8057"} {
		ref, err := tenant.ParseRef(text)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(ref)
	}
	// Output:
	// slug:acme-corp
	// id:01890a5d-ac96-774b-bcce-b302099a8057
}

// A product's own errors have codes of their own, and say their status.
func ExampleError() {
	errNoteNotFound := &tenant.Error{Code: "note_not_found", Status: 404, Detail: "there is no such note"}

	err := fmt.Errorf("rename note: %w", errNoteNotFound)
	fmt.Println(err)
	if e, ok := errors.AsType[*tenant.Error](err); ok {
		fmt.Println(e.Status, e.Detail)
	}
	// Output:
	// rename note: note_not_found: there is no such note
	// 404 there is no such note
}

// Ids of this package sort in the order in which they were made.
func ExampleNewID() {
	first := tenant.NewID()
	fmt.Println(len(first.String()), first.IsZero(), tenant.ID{}.IsZero())
	// Output:
	// 36 false true
}

// Who acts is in the context beside the tenant that is acted on, as the middlewares of
// accesstoken and apikey have found it.
func ExamplePrincipal() {
	ctx := tenant.NewPrincipalContext(context.Background(), tenant.Principal{
		Kind: tenant.Key, ID: "8Jq0TfXv2LrB5wYk", Scopes: []string{"notes:read"},
	})

	who, found := tenant.PrincipalFromContext(ctx)
	fmt.Println(who.Kind, who.ID, found)
	fmt.Println(who.HasScope("notes:read"), who.HasScope("notes:write"))
	// Output:
	// key 8Jq0TfXv2LrB5wYk true
	// true false
}
