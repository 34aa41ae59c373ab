// Package temporaldispatch holds what package temporalx says of queues, fairness, bounds and
// encryption to a real Temporal server: it has tests alone. The measurements behind what
// its documentation says are among them, in their long form behind the environment variable
// TENANTWALL_MEASURE.
package temporaldispatch
