package invite_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// Each role of the ladder may do all that those below it may.
func ExampleDefaultRoles() {
	roles := invite.DefaultRoles()
	fmt.Println(roles.Covers(invite.RoleAdmin, invite.RoleMember))
	fmt.Println(roles.Covers(invite.RoleViewer, invite.RoleMember))
	fmt.Println(roles.Has(invite.RoleAdmin, invite.PermManageTenant))
	// Output:
	// true
	// false
	// false
}

// A product has roles of its own, which need not be a ladder: here neither of the two below
// the owner is above the other, and so neither may appoint the other.
func ExampleNewRoles() {
	const (
		publish invite.Permission = "articles:publish"
		bill    invite.Permission = "bills:pay"
	)
	roles, err := invite.NewRoles(
		invite.RoleDef{Name: "publisher", Permissions: []invite.Permission{publish, bill, invite.PermManageMembers}},
		invite.RoleDef{Name: "editor", Permissions: []invite.Permission{publish, invite.PermManageMembers}},
		invite.RoleDef{Name: "accountant", Permissions: []invite.Permission{bill}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(roles.Owner())
	fmt.Println(roles.Covers("editor", "accountant"), roles.Covers("accountant", "editor"))
	// Output:
	// publisher
	// false false
}

func ExampleCanonicalEmail() {
	for _, typed := range []string{" Ada@Acme.Example ", "Ada <ada@acme.example>"} {
		email, err := invite.CanonicalEmail(typed)
		fmt.Printf("%q %v\n", email, err)
	}
	// Output:
	// "ada@acme.example" <nil>
	// "" malformed e-mail address: a character other than visible ASCII
}

// Ada makes a tenant and invites Cleo, who follows the link in the mail.
func Example() {
	ctx := context.Background()
	database, done := exampleSite() // see package tenantdb
	defer done()
	control, catalog := database.control, database.catalog

	var mail invite.Mail // a Sender writes it as a text, and sends it by SMTP
	members, err := invite.Open(ctx, control, invite.Config{
		Sender: invite.SenderFunc(func(_ context.Context, m invite.Mail) error { mail = m; return nil }),
		Link:   "https://app.example.com/join",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	acme, err := catalog.Create(ctx, tenantdb.NewTenant{
		Slug: "acme-corp", Name: "Acme Corp",
		Seed: func(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error {
			return members.Add(ctx, tx, invite.Member{TenantID: t.ID, UserID: "u-ada", Email: "ada@acme.example", Role: invite.RoleOwner})
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = members.Invite(ctx, acme.ID, invite.By("u-ada"), "cleo@acme.example", invite.RoleMember)
	fmt.Println("mail to", mail.To, err)

	preview, err := members.Preview(ctx, mail.Secret)
	fmt.Println("join", preview.Tenant.Name, "as", preview.Role, err)

	_, err = members.Accept(ctx, mail.Secret, invite.User{ID: "u-mallory", VerifiedEmail: "mallory@evil.example"})
	fmt.Println(err)
	joined, err := members.Accept(ctx, mail.Secret, invite.User{ID: "u-cleo", VerifiedEmail: "cleo@acme.example"})
	fmt.Println("joined", joined.Tenant.Slug, "as", joined.Role, err)
	// Output:
	// mail to cleo@acme.example <nil>
	// join Acme Corp as member <nil>
	// invite: accept: email_mismatch: the invitation is for another e-mail address
	// joined acme-corp as member <nil>
}

// Whoever is removed is out at once in this process, and within the time that the cache
// may remember them in others.
func ExampleMembers_Remove() {
	ctx := context.Background()
	database, done := exampleSite()
	defer done()
	members := database.members
	acme := database.create(database.t, "acme-corp", "ada")

	// Another owner comes, and Ada may go.
	fmt.Println(errors.Is(members.Leave(ctx, acme.ID, "ada"), invite.ErrLastOwner))
	database.join(database.t, acme, "ben", invite.RoleOwner)
	fmt.Println(members.Remove(ctx, acme.ID, invite.By("ben"), "ada"))

	_, err := members.Cache().Get(ctx, acme.ID, "ada")
	fmt.Println(errors.Is(err, invite.ErrNotAMember))
	// Output:
	// true
	// <nil>
	// true
}

// Everybody with an address of a domain joins, once a TXT record has proved whose it is.
func ExampleDomains() {
	ctx := context.Background()
	database, done := exampleSite()
	defer done()
	acme := database.create(database.t, "acme-corp", "ada")

	dns := new(zone) // net.DefaultResolver in a service
	domains, err := invite.NewDomains(database.members, invite.DomainConfig{Resolver: dns})
	if err != nil {
		fmt.Println(err)
		return
	}
	domain, err := domains.Add(ctx, acme.ID, invite.By("ada"), invite.DomainRule{Name: "acme.example", Role: invite.RoleMember})
	fmt.Println("make a TXT record at", domain.RecordName, err)
	_, err = domains.Verify(ctx, acme.ID, invite.By("ada"), "acme.example")
	fmt.Println("proved:", !errors.Is(err, invite.ErrNotProved))

	dns.publish(domain) // Ada makes the record
	_, err = domains.Verify(ctx, acme.ID, invite.By("ada"), "acme.example")
	fmt.Println("proved:", err == nil)
	joined, _, err := domains.Join(ctx, acme.ID, invite.User{ID: "cleo", VerifiedEmail: "cleo@acme.example"})
	fmt.Println("joined", joined.Tenant.Slug, "as", joined.Role, err)
	// Output:
	// make a TXT record at _tenantwall.acme.example <nil>
	// proved: false
	// proved: true
	// joined acme-corp as member <nil>
}

// A viewer reads, and is refused where it takes more.
func ExampleGuard() {
	acme := tenant.Tenant{ID: tenant.NewID(), Slug: "acme-corp", Status: tenant.StatusActive}
	guard, err := invite.NewGuard(viewers{}, invite.DefaultRoles()) // members.Cache() in a service
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		m, _ := invite.FromContext(r.Context())
		fmt.Println("hello", m.UserID, m.Role)
	})
	// An authentication and the middleware of package resolve do this.
	ctx := tenant.NewContext(context.Background(), acme)
	ctx = tenant.NewPrincipalContext(ctx, tenant.Principal{Kind: tenant.User, ID: "u-cleo"})

	for _, h := range []http.Handler{
		guard.RequireMember(handler),
		guard.RequirePermission(invite.PermWrite)(handler),
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/notes", nil))
		fmt.Println(w.Code)
	}
	// Output:
	// hello u-cleo viewer
	// 200
	// 403
}

// viewers are Memberships in which everybody is a viewer everywhere.
type viewers struct{}

func (viewers) Get(_ context.Context, in tenant.ID, userID string) (invite.Member, error) {
	return invite.Member{TenantID: in, UserID: userID, Role: invite.RoleViewer, Version: 1}, nil
}
