package recipes_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tenantwall/tenantwall/examples/recipes/connectrpc"
	"github.com/tenantwall/tenantwall/examples/recipes/notesv1"
	"github.com/tenantwall/tenantwall/examples/recipes/notesv1/notesv1connect"
	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/problem"
)

// httpClient calls a service, for which it names the tenant of the context.
type httpClient struct {
	url    string
	client *http.Client
	name   func(r *http.Request, of tenant.Tenant) // the zero tenant for none
}

func (c httpClient) Add(ctx context.Context, title string) error {
	body, err := json.Marshal(map[string]string{"title": title})
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, string(body), nil)
}

func (c httpClient) Titles(ctx context.Context) ([]string, error) {
	var out struct{ Titles []string }
	err := c.call(ctx, http.MethodGet, "", &out)
	return out.Titles, err
}

func (c httpClient) call(ctx context.Context, method, body string, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.url+"/notes", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	of, _ := tenant.FromContext(ctx)
	c.name(r, of)
	resp, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		var doc problem.Document
		if err := json.Unmarshal(text, &doc); err != nil || resp.Header.Get("Content-Type") != problem.ContentType {
			return errors.New(resp.Status + " is no problem document: " + string(text))
		}
		return &tenant.Error{Code: doc.Code, Status: doc.Status, Detail: doc.Detail}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// byHeader names a tenant in the header.
func byHeader(r *http.Request, of tenant.Tenant) {
	if of.Slug != "" {
		r.Header.Set(resolve.HeaderSlug, string(of.Slug))
	}
}

// checkProblems finds out whether the service answers what it has no route for, and what is
// wrong with a request, as problems.
func (c httpClient) checkProblems(t *testing.T) {
	t.Helper()
	for path, want := range map[string]string{"GET /nowhere": "not_found", "DELETE /notes": "method_not_allowed"} {
		method, path, _ := strings.Cut(path, " ")
		r, err := http.NewRequestWithContext(t.Context(), method, c.url+path, nil)
		require.NoError(t, err)
		r.Header.Set(resolve.HeaderSlug, "acme")
		resp, err := c.client.Do(r)
		require.NoError(t, err)
		var doc problem.Document
		err = json.NewDecoder(resp.Body).Decode(&doc)
		resp.Body.Close()
		require.NoError(t, err, "%s %s: %s", method, path, resp.Status)
		assert.Equal(t, want, string(doc.Code))
		assert.NotEmpty(t, doc.RequestID)
	}
}

type connectClient struct{ notesv1connect.NotesClient }

func (c connectClient) Add(ctx context.Context, title string) error {
	r := connect.NewRequest(&notesv1.AddRequest{Title: title})
	nameTenant(ctx, r.Header())
	_, err := c.NotesClient.Add(ctx, r)
	return fromConnect(err)
}

func (c connectClient) Titles(ctx context.Context) (titles []string, err error) {
	r := connect.NewRequest(&notesv1.TitlesRequest{})
	nameTenant(ctx, r.Header())
	stream, err := c.NotesClient.Titles(ctx, r)
	if err != nil {
		return nil, fromConnect(err)
	}
	defer stream.Close()
	for stream.Receive() {
		titles = append(titles, stream.Msg().GetTitle())
	}
	return titles, fromConnect(stream.Err())
}

func nameTenant(ctx context.Context, h http.Header) {
	if t, ok := tenant.FromContext(ctx); ok {
		h.Set(resolve.HeaderSlug, string(t.Slug))
	}
}

func fromConnect(err error) error {
	if told, ok := errors.AsType[*connect.Error](err); ok && told.Meta().Get(connectrpc.CodeHeader) != "" {
		return &tenant.Error{Code: tenant.Code(told.Meta().Get(connectrpc.CodeHeader)), Detail: told.Message()}
	}
	return err
}

type grpcClient struct{ notesv1.NotesClient }

func (c grpcClient) Add(ctx context.Context, title string) error {
	_, err := c.NotesClient.Add(namingTenant(ctx), &notesv1.AddRequest{Title: title})
	return fromStatus(err)
}

func (c grpcClient) Titles(ctx context.Context) (titles []string, err error) {
	stream, err := c.NotesClient.Titles(namingTenant(ctx), &notesv1.TitlesRequest{})
	if err != nil {
		return nil, fromStatus(err)
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return titles, nil
		}
		if err != nil {
			return nil, fromStatus(err)
		}
		titles = append(titles, m.GetTitle())
	}
}

func namingTenant(ctx context.Context) context.Context {
	t, ok := tenant.FromContext(ctx)
	if !ok {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, strings.ToLower(resolve.HeaderSlug), string(t.Slug))
}

func fromStatus(err error) error {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return &tenant.Error{Code: tenant.Code(info.GetReason()), Detail: status.Convert(err).Message()}
		}
	}
	return err
}
