package temporalx

import (
	"context"

	"go.temporal.io/sdk/workflow"
)

type (
	arrivedKey  struct{} // context.Context: the carried header of an activity
	startKey    struct{} // workflow.Context: the carried header with which the workflow began
	messageKey  struct{} // workflow.Context: that of a signal, query or update
	outgoingKey struct{} // context.Context: what the next call of a client carries
	targetKey   struct{} // workflow.Context: for which workflow the next call is
)

// outgoing is what a call of a client carries.
type outgoing struct {
	identity   Identity
	workflowID string
	scheduled  bool
	former     *carried // the header of a schedule that is updated: kept, and signed anew
}

// propagator carries. It never fails and never refuses: an error of an extraction would
// drop an activity's task without a word, keep a workflow's from ending, and poison a
// healthy workflow when a signal brings it. The interceptors refuse.
type propagator struct{ cfg Config }

func (p propagator) Extract(ctx context.Context, r workflow.HeaderReader) (context.Context, error) {
	header, _ := r.Get(headerName)
	return context.WithValue(ctx, arrivedKey{}, parse(header)), nil
}

func (p propagator) ExtractToWorkflow(ctx workflow.Context, r workflow.HeaderReader) (workflow.Context, error) {
	header, _ := r.Get(headerName)
	if _, began := ctx.Value(startKey{}).(carried); began {
		return workflow.WithValue(ctx, messageKey{}, parse(header)), nil
	}
	return workflow.WithValue(ctx, startKey{}, parse(header)), nil
}

// Inject carries what the client's interceptor has said. A call that went past it carries
// nothing, and is refused where it arrives.
func (p propagator) Inject(ctx context.Context, w workflow.HeaderWriter) error {
	out, ok := ctx.Value(outgoingKey{}).(outgoing)
	if !ok {
		return nil
	}
	if f := out.former; f != nil {
		id, err := f.genuine(out.workflowID, p.cfg.Keys, p.cfg.Now())
		if err != nil {
			return err // to sign it anew would make good what is not
		}
		out.identity = id
	}
	header, err := encode(out.identity, out.workflowID, out.scheduled, p.cfg.Keys)
	if err != nil {
		return err
	}
	w.Set(headerName, header)
	return nil
}

// InjectFromWorkflow carries for whom the workflow runs, to where its interceptor has said.
func (p propagator) InjectFromWorkflow(ctx workflow.Context, w workflow.HeaderWriter) error {
	id, known := FromWorkflow(ctx)
	target, said := ctx.Value(targetKey{}).(string)
	if !known || !said {
		return nil
	}
	header, err := encode(id, target, false, p.cfg.Keys)
	if err != nil {
		return err
	}
	w.Set(headerName, header)
	return nil
}
