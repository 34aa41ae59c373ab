package web

import "strconv"

// partSize is how many entries of a list are shown at once.
const partSize = 20

// pager are the links around a part of a list; an empty one leads nowhere.
type pager struct{ Name, Newer, Older string }

// part is what is shown of a list that the service gives whole.
type part[T any] struct {
	Items []T
	Total int
	Pager pager
}

// partOf is the part of a list that the address asks for, under the list's name. The links
// leave other lists of the page where they are.
func partOf[T any](v *visit, path, name string, all []T) part[T] {
	query := v.query()
	last := max(1, (len(all)+partSize-1)/partSize)
	at, err := strconv.Atoi(query.Get(name))
	if err != nil {
		at = 1
	}
	at = max(1, min(at, last))
	link := func(to int) string {
		if to < 1 || to > last {
			return ""
		}
		query.Set(name, strconv.Itoa(to))
		return path + "?" + query.Encode() + "#" + name
	}
	shown := all[(at-1)*partSize : min(len(all), at*partSize)]
	return part[T]{Items: shown, Total: len(all), Pager: pager{Name: name, Newer: link(at - 1), Older: link(at + 1)}}
}
