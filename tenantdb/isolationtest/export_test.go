package isolationtest

// TimingDifference is for a test of its thresholds, which no service can be made to meet.
var TimingDifference = timingDifference
