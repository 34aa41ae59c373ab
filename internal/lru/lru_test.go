package lru_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/tenantwall/tenantwall/internal/lru"
)

func TestPutReturnsWhatHasGone(t *testing.T) {
	t.Parallel()
	c := lru.New[string, int](2)
	c.Put("a", 1)
	c.Put("b", 2)
	_, ok := c.Get("a")
	assert.True(t, ok)

	gone, evicted := c.Put("c", 3)
	assert.True(t, evicted)
	assert.Equal(t, 2, gone, "a was used after b")

	_, evicted = c.Put("c", 4)
	assert.False(t, evicted, "an entry takes its own place")
}

func TestCapacityIsAtLeastOne(t *testing.T) {
	t.Parallel()
	c := lru.New[int, int](0)
	c.Put(1, 1)
	assert.Equal(t, 1, c.Len())
}

// The model is a slice of keys, the last used at its end.
func TestCacheBehavesLikeAListOfTheLastUsed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(1, 5).Draw(t, "capacity")
		c := lru.New[int, int](capacity)
		var order []int
		values := map[int]int{}
		use := func(key int) {
			order = append(slices.DeleteFunc(order, func(k int) bool { return k == key }), key)
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			key, value := rapid.IntRange(0, 8).Draw(t, "key"), rapid.Int().Draw(t, "value")
			switch rapid.IntRange(0, 2).Draw(t, "operation") {
			case 0:
				got, ok := c.Get(key)
				want, there := values[key]
				if ok != there || got != want {
					t.Fatalf("Get(%d) = %d, %v; want %d, %v", key, got, ok, want, there)
				}
				if there {
					use(key)
				}
			case 1:
				_, there := values[key]
				gone, evicted := c.Put(key, value)
				if wantEvicted := !there && len(order) == capacity; evicted != wantEvicted {
					t.Fatalf("Put(%d): evicted is %v", key, evicted)
				}
				if evicted {
					if gone != values[order[0]] {
						t.Fatalf("Put(%d): %d has gone, not the value of %d", key, gone, order[0])
					}
					delete(values, order[0])
					order = order[1:]
				}
				values[key] = value
				use(key)
			case 2:
				c.Delete(key)
				delete(values, key)
				order = slices.DeleteFunc(order, func(k int) bool { return k == key })
			}
			if c.Len() != len(values) {
				t.Fatalf("Len is %d, want %d", c.Len(), len(values))
			}
		}
	})
}

func TestDeleteIfForgetsWhatItIsToldAndNothingElse(t *testing.T) {
	t.Parallel()
	c := lru.New[int, string](3)
	for i, value := range []string{"a", "b", "a"} {
		c.Put(i, value)
	}
	c.DeleteIf(func(_ int, value string) bool { return value == "a" })
	if _, ok := c.Get(1); !ok || c.Len() != 1 {
		t.Fatalf("%d entries are left", c.Len())
	}
	for i := range 3 {
		c.Put(i, "c")
	}
	if c.Len() != 3 {
		t.Fatalf("Len is %d", c.Len())
	}
}
