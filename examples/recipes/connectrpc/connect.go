// Package connectrpc is a recipe: connectrpc.com/connect, whose handlers are those of
// net/http, and whose clients speak Connect, gRPC and gRPC-Web.
package connectrpc

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"connectrpc.com/connect"

	"github.com/tenantwall/tenantwall/examples/recipes/notes"
	"github.com/tenantwall/tenantwall/examples/recipes/notesv1"
	"github.com/tenantwall/tenantwall/examples/recipes/notesv1/notesv1connect"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

// New makes the service. The middleware stands around the handlers, for unary and streaming
// calls alike, so that no procedure can be added without it. What it refuses, it answers in
// the protocol that the client speaks.
func New(tenants tenant.Store, store notes.Store, log *slog.Logger) (http.Handler, error) {
	s := server{store, log}
	refusals := connect.NewErrorWriter()
	resolver, err := resolve.New(tenants, resolve.Config{
		Sources: []resolve.Source{resolve.Header()},
		OnError: func(w http.ResponseWriter, r *http.Request, err error) {
			_ = refusals.Write(w, r, s.told(r.Context(), err)) // a client that has gone is told nothing
		},
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(notesv1connect.NewNotesHandler(s))
	return resolver.Middleware(mux), nil
}

// server answers the calls. The tenant is in their context.
type server struct {
	store notes.Store
	log   *slog.Logger
}

// Add implements [notesv1connect.NotesHandler].
func (s server) Add(ctx context.Context, in *connect.Request[notesv1.AddRequest]) (*connect.Response[notesv1.AddResponse], error) {
	if err := s.store.Add(ctx, in.Msg.GetTitle()); err != nil {
		return nil, s.told(ctx, err)
	}
	return connect.NewResponse(&notesv1.AddResponse{}), nil
}

// Titles implements [notesv1connect.NotesHandler].
func (s server) Titles(ctx context.Context, _ *connect.Request[notesv1.TitlesRequest], out *connect.ServerStream[notesv1.TitlesResponse]) error {
	titles, err := s.store.Titles(ctx)
	if err != nil {
		return s.told(ctx, err)
	}
	for _, title := range titles {
		if err := out.Send(&notesv1.TitlesResponse{Title: title}); err != nil {
			return err
		}
	}
	return nil
}

// CodeHeader carries the code of an error, which Connect's own are too few to tell.
const CodeHeader = "X-Error-Code"

// told is an error as a client may see it. The cause of what is the service's own fault is
// logged here, for the client is not told.
func (s server) told(ctx context.Context, err error) error {
	out := asConnect(err)
	if code := out.Code(); code == connect.CodeInternal || code == connect.CodeUnavailable {
		s.log.ErrorContext(ctx, "call failed", "error", err)
	}
	return out
}

// asConnect is an error in Connect's terms: anything but a [tenant.Error] is the service's
// own affair, and its text stays here.
func asConnect(err error) *connect.Error {
	told, ok := errors.AsType[*tenant.Error](err)
	switch {
	case ok:
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, errors.New("cancelled"))
	case errors.Is(err, context.DeadlineExceeded):
		return connect.NewError(connect.CodeDeadlineExceeded, errors.New("deadline exceeded"))
	default:
		return connect.NewError(connect.CodeInternal, errors.New("internal error"))
	}
	out := connect.NewError(codeOf(told.Code), errors.New(explain(told)))
	out.Meta().Set(CodeHeader, string(told.Code))
	return out
}

// explain is what an error tells the client's developer: its own words, and those of fields.
func explain(e *tenant.Error) string {
	parts := []string{cmp.Or(e.Detail, string(e.Code))}
	for _, field := range e.Fields {
		parts = append(parts, field.Field+": "+field.Message)
	}
	return strings.Join(parts, "; ")
}

func codeOf(code tenant.Code) connect.Code {
	switch code {
	case tenant.CodeTenantRequired, tenant.CodeTenantInvalid, tenant.CodeTenantConflict, tenant.CodeCredentialConflict,
		tenant.CodeBadRequest, tenant.CodeValidationFailed, tenant.CodePayloadTooLarge, tenant.CodeUnsupportedMediaType:
		return connect.CodeInvalidArgument
	case tenant.CodeUnauthenticated:
		return connect.CodeUnauthenticated
	case tenant.CodeTenantNotFound, tenant.CodeTenantGone, tenant.CodeNotFound:
		return connect.CodeNotFound
	case tenant.CodeTenantMismatch, tenant.CodeNotAMember, tenant.CodeForbidden, tenant.CodeTenantSuspended, tenant.CodeEmailMismatch:
		return connect.CodePermissionDenied
	case tenant.CodeSlugTaken, tenant.CodeAlreadyMember:
		return connect.CodeAlreadyExists
	case tenant.CodeLastOwner, tenant.CodeInviteExpired, tenant.CodePreconditionFailed:
		return connect.CodeFailedPrecondition
	case tenant.CodeQuotaExceeded, tenant.CodeSeatLimitReached:
		return connect.CodeResourceExhausted
	case tenant.CodeMethodNotAllowed:
		return connect.CodeUnimplemented
	case tenant.CodeUnavailable:
		return connect.CodeUnavailable
	case tenant.CodeInternal:
		return connect.CodeInternal
	default: // a product's own, to be added above
		return connect.CodeUnknown
	}
}
