package accesstoken

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCacheHoldsNoMoreThanItsSizeRoundedUp(t *testing.T) {
	t.Parallel()
	for size, most := range map[int]int{1: 16, 16: 16, 17: 32, 100: 112} {
		c := newCache(size)
		for i := range 20 * most {
			c.put(digestOf(strconv.Itoa(i)), verified{keyID: strconv.Itoa(i)})
		}
		held := 0
		for i := range 20 * most {
			if good, ok := c.get(digestOf(strconv.Itoa(i))); ok {
				held++
				assert.Equal(t, strconv.Itoa(i), good.keyID)
			}
		}
		assert.Equal(t, most, held, "for a size of %d", size)
	}
}
