package apikey

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a whole key as its holder presents it. It is handed out once, when the key is
// made, and kept nowhere: the database has a hash of it.
//
// It is not shown by fmt and slog. Convert it to a string to hand it out.
type Secret string

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// Format implements [fmt.Formatter]: whatever the verb, it writes what String returns.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
