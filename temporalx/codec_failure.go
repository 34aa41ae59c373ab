package temporalx

import (
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

// sealingFailures is a failure converter that seals what errors say (messages, stacks,
// details) as [sealing] does with payloads. Their types stay readable: Temporal compares
// them when it decides on a retry.
type sealingFailures struct {
	data converter.DataConverter
}

var (
	_ converter.FailureConverter                         = sealingFailures{}
	_ converter.FailureConverterWithSerializationContext = sealingFailures{}
)

// WithSerializationContext implements [converter.FailureConverterWithSerializationContext].
func (f sealingFailures) WithSerializationContext(at converter.SerializationContext) converter.FailureConverter {
	f.data = converter.WithDataConverterSerializationContext(f.data, at)
	return f
}

// ErrorToFailure implements [converter.FailureConverter]. Where nothing can be sealed, the
// SDK's converter would panic, and the job whose tenant is missing would be tried for ever
// and not fail; so what the error says is left out, and its type tells.
func (f sealingFailures) ErrorToFailure(err error) *failurepb.Failure {
	if _, unsealed := f.data.ToPayload(""); unsealed != nil {
		failure := temporal.GetDefaultFailureConverter().ErrorToFailure(err)
		withhold(failure, "withheld, for it could not be encrypted: "+unsealed.Error())
		return failure
	}
	return f.sdk().ErrorToFailure(err)
}

// FailureToError implements [converter.FailureConverter].
func (f sealingFailures) FailureToError(failure *failurepb.Failure) error {
	return f.sdk().FailureToError(failure)
}

func (f sealingFailures) sdk() converter.FailureConverter {
	return temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter:          f.data,
		EncodeCommonAttributes: true,
	})
}

// withhold takes out of a failure and its causes all but what they are.
func withhold(failure *failurepb.Failure, why string) {
	for f := failure; f != nil; f = f.GetCause() {
		f.Message, f.StackTrace, f.EncodedAttributes = why, "", nil
		for _, details := range []*commonpb.Payloads{
			f.GetApplicationFailureInfo().GetDetails(),
			f.GetCanceledFailureInfo().GetDetails(),
			f.GetTimeoutFailureInfo().GetLastHeartbeatDetails(),
			f.GetResetWorkflowFailureInfo().GetLastHeartbeatDetails(),
		} {
			if details != nil {
				details.Payloads = nil
			}
		}
	}
}
