package otelx

import "sync"

// names bounds the values of an attribute: the first MaxNames that come are told apart, and
// all others are Other. The zero value has none yet.
type names struct {
	mu    sync.RWMutex
	known map[string]struct{}
}

// bounded is a name, if it is told apart, and Other if not.
func (n *names) bounded(name string) string {
	n.mu.RLock()
	_, ok := n.known[name]
	full := len(n.known) >= MaxNames
	n.mu.RUnlock()
	switch {
	case ok:
		return name
	case full || !n.add(name):
		return Other
	}
	return name
}

// add adds a name, if there is room for it or it is there.
func (n *names) add(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.known[name]; ok {
		return true
	}
	if len(n.known) >= MaxNames {
		return false
	}
	if n.known == nil {
		n.known = make(map[string]struct{})
	}
	n.known[name] = struct{}{}
	return true
}
