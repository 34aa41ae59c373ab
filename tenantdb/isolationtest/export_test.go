package isolationtest

// TimingDifference is for a test of its thresholds, which no service can be made to meet.
var TimingDifference = timingDifference

// ReplaceWord is for a test of where a word begins, which a service's random ids meet rarely.
var ReplaceWord = replaceWord
