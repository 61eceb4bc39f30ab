package rediscache

import "time"

// Followed reports whether the Feed was followed to its end once: memory answers.
func (c *Cache) Followed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.fresh.IsZero()
}

// Poll is how often the Feed is followed.
const Poll time.Duration = pollEvery
