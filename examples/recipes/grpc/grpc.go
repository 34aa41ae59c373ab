// Package grpc is a recipe: google.golang.org/grpc, with an interceptor for unary and one
// for streaming calls. The tenant is named in the metadata as it is in HTTP's header.
package grpc

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tenantwall/tenantwall/examples/recipes/notes"
	"github.com/tenantwall/tenantwall/examples/recipes/notesv1"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

// New makes the server. Both interceptors are given, because a unary one alone would leave
// the streams open.
func New(tenants tenant.Store, store notes.Store, log *slog.Logger) (*grpc.Server, error) {
	resolver, err := resolve.New(tenants, resolve.Config{Sources: []resolve.Source{resolve.Header()}})
	if err != nil {
		return nil, err
	}
	g := guard{resolver, log}
	s := grpc.NewServer(grpc.UnaryInterceptor(g.unary), grpc.StreamInterceptor(g.stream))
	notesv1.RegisterNotesServer(s, server{store: store})
	return s, nil
}

// guard finds the tenant of each call, and tells its client what may be told of an error.
type guard struct {
	resolver *resolve.Resolver
	log      *slog.Logger
}

func (g guard) unary(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, err := g.enter(ctx, info.FullMethod)
	if err != nil {
		return nil, g.told(ctx, err)
	}
	out, err := next(ctx, in)
	return out, g.told(ctx, err)
}

func (g guard) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, err := g.enter(s.Context(), info.FullMethod)
	if err != nil {
		return g.told(ctx, err)
	}
	return g.told(ctx, next(srv, tenantStream{s, ctx}))
}

// enter has the resolver look at the metadata as if they were the header of an HTTP
// request, which they are on the wire: so there is one rule for both.
func (g guard) enter(ctx context.Context, method string) (context.Context, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	header := make(http.Header, len(md))
	for name, values := range md {
		header[textproto.CanonicalMIMEHeaderKey(name)] = values
	}
	call := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: method}, Header: header}
	in, err := g.resolver.Resolve(call.WithContext(ctx))
	if err != nil {
		return ctx, err
	}
	return in.Context(), nil
}

// told is an error as a client may see it. The cause of what is the service's own fault is
// logged here, for the client is not told.
func (g guard) told(ctx context.Context, err error) error {
	out := asStatus(err)
	if code := status.Code(out); code == codes.Internal || code == codes.Unavailable {
		g.log.ErrorContext(ctx, "call failed", "error", err)
	}
	return out
}

// tenantStream is a stream whose context has the tenant.
type tenantStream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // a stream's context is a method of it
}

// Context implements [grpc.ServerStream].
func (s tenantStream) Context() context.Context { return s.ctx }

// server answers the calls. The tenant is in their context.
type server struct {
	notesv1.UnimplementedNotesServer
	store notes.Store
}

// Add implements [notesv1.NotesServer].
func (s server) Add(ctx context.Context, in *notesv1.AddRequest) (*notesv1.AddResponse, error) {
	return &notesv1.AddResponse{}, s.store.Add(ctx, in.GetTitle())
}

// Titles implements [notesv1.NotesServer].
func (s server) Titles(_ *notesv1.TitlesRequest, out grpc.ServerStreamingServer[notesv1.TitlesResponse]) error {
	titles, err := s.store.Titles(out.Context())
	if err != nil {
		return err
	}
	for _, title := range titles {
		if err := out.Send(&notesv1.TitlesResponse{Title: title}); err != nil {
			return err
		}
	}
	return nil
}

// asStatus is an error as a client may see it: anything but a [tenant.Error] is the
// service's own affair, and its text stays here. The code of this library is the reason of
// an ErrorInfo, for gRPC's own codes are too few.
func asStatus(err error) error {
	if err == nil {
		return nil
	}
	told, ok := errors.AsType[*tenant.Error](err)
	switch {
	case ok:
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "cancelled")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "deadline exceeded")
	default:
		return status.Error(codes.Internal, "internal error")
	}
	s, err := status.New(codeOf(told.Code), explain(told)).WithDetails(&errdetails.ErrorInfo{Reason: string(told.Code), Domain: "tenantwall"})
	if err != nil {
		return status.Error(codes.Internal, "internal error")
	}
	return s.Err()
}

// explain is what an error tells the client's developer: its own words, and those of fields.
func explain(e *tenant.Error) string {
	parts := []string{cmp.Or(e.Detail, string(e.Code))}
	for _, field := range e.Fields {
		parts = append(parts, field.Field+": "+field.Message)
	}
	return strings.Join(parts, "; ")
}

func codeOf(code tenant.Code) codes.Code {
	switch code {
	case tenant.CodeTenantRequired, tenant.CodeTenantInvalid, tenant.CodeTenantConflict, tenant.CodeCredentialConflict,
		tenant.CodeBadRequest, tenant.CodeValidationFailed, tenant.CodePayloadTooLarge, tenant.CodeUnsupportedMediaType:
		return codes.InvalidArgument
	case tenant.CodeUnauthenticated:
		return codes.Unauthenticated
	case tenant.CodeTenantNotFound, tenant.CodeTenantGone, tenant.CodeNotFound:
		return codes.NotFound
	case tenant.CodeTenantMismatch, tenant.CodeNotAMember, tenant.CodeForbidden, tenant.CodeTenantSuspended, tenant.CodeEmailMismatch:
		return codes.PermissionDenied
	case tenant.CodeSlugTaken, tenant.CodeAlreadyMember:
		return codes.AlreadyExists
	case tenant.CodeLastOwner, tenant.CodeInviteExpired, tenant.CodePreconditionFailed:
		return codes.FailedPrecondition
	case tenant.CodeQuotaExceeded, tenant.CodeSeatLimitReached:
		return codes.ResourceExhausted
	case tenant.CodeMethodNotAllowed:
		return codes.Unimplemented
	case tenant.CodeUnavailable:
		return codes.Unavailable
	case tenant.CodeInternal:
		return codes.Internal
	default: // a product's own, to be added above
		return codes.Unknown
	}
}
