package rediscache

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"rapport/fhir"
	"rapport/fhir/store"
)

// Redis is the shared cache of all tenants. It is safe for concurrent use.
type Redis struct {
	client *redis.Client
	until  atomic.Int64 // unix nanoseconds: not asked before
	put    chan entry
	stop   chan struct{}
	// Hits and Misses count look-ups; Failures what went wrong. For metrics.
	Hits, Misses, Failures atomic.Int64
}

type entry struct {
	key   string
	value []byte
}

const (
	bodyLife = time.Hour
	pause    = time.Second // after a failure
	backlog  = 1024
)

// Dial connects lazily: a Redis that is down at the start is one that is down.
// url is redis://…, rediss://… or unix://…; an error names what is wrong with it,
// never the password in it.
func Dial(address string) (*Redis, error) {
	if _, err := url.Parse(address); err != nil {
		return nil, errors.New("redis: the URL cannot be read")
	}
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, errors.New("redis: the URL must be redis://host:port/db, rediss://… or unix:///path")
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = 250*time.Millisecond, 150*time.Millisecond, 150*time.Millisecond
	o.PoolTimeout, o.MaxRetries = 200*time.Millisecond, -1
	o.DisableIdentity, o.DialerRetries = true, 1
	redis.SetLogger(quiet{})
	r := &Redis{client: redis.NewClient(o), put: make(chan entry, backlog), stop: make(chan struct{})}
	go r.write()
	return r, nil
}

// quiet drops what the client would write to standard error: a Redis that is down
// is told of by Failures and Ping.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// Close ends the connection.
func (r *Redis) Close() error {
	close(r.stop)
	return r.client.Close()
}

// Ping tells whether Redis answers.
func (r *Redis) Ping(ctx context.Context) error {
	if err := r.client.Ping(ctx).Err(); err != nil {
		return errors.New("does not answer; reads are slower, never wrong")
	}
	return nil
}

func (r *Redis) asked() bool { return time.Now().UnixNano() >= r.until.Load() }

func (r *Redis) failed() {
	r.Failures.Add(1)
	r.until.Store(time.Now().Add(pause).UnixNano())
}

// get returns the values of keys, nil where there is none.
func (r *Redis) get(ctx context.Context, keys []string) [][]byte {
	out := make([][]byte, len(keys))
	if !r.asked() {
		return out
	}
	vs, err := r.client.MGet(ctx, keys...).Result()
	if err != nil {
		if ctx.Err() == nil {
			r.failed()
		}
		return out
	}
	for i, v := range vs {
		if s, ok := v.(string); ok {
			out[i] = []byte(s)
			r.Hits.Add(1)
		} else {
			r.Misses.Add(1)
		}
	}
	return out
}

// write puts values behind requests, and drops them when Redis is slow.
func (r *Redis) write() {
	for {
		var e entry
		select {
		case <-r.stop:
			return
		case e = <-r.put:
		}
		if !r.asked() {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), pause)
		if err := r.client.Set(ctx, e.key, e.value, bodyLife).Err(); err != nil {
			r.failed()
		}
		cancel()
	}
}

// Bodies returns immutable versions: from memory, from Redis, from the store.
func (r *reader) Bodies(ctx context.Context, refs ...store.Ref) ([]fhir.Resource, error) {
	out := make([]fhir.Resource, len(refs))
	miss := r.c.held(refs, out)
	if len(miss) > 0 && r.c.Redis != nil {
		miss = r.c.shared(ctx, refs, out, miss)
	}
	if len(miss) == 0 {
		return out, nil
	}
	ask := make([]store.Ref, len(miss))
	for i, at := range miss {
		ask[i] = refs[at]
	}
	rs, err := r.Reader.Bodies(ctx, ask...)
	if err != nil {
		return nil, err
	}
	for i, at := range miss {
		if out[at] = rs[i]; rs[i].IsZero() {
			continue
		}
		r.c.bodies.Set(refs[at], rs[i])
		r.c.share(refs[at], rs[i])
	}
	return out, nil
}

// held fills in what is in memory and returns the places of what is not.
func (c *Cache) held(refs []store.Ref, out []fhir.Resource) (miss []int) {
	for i, ref := range refs {
		if b, ok := c.bodies.GetIfPresent(ref); ok {
			out[i] = b
		} else {
			miss = append(miss, i)
		}
	}
	return miss
}

// shared fills in what Redis has. A value that does not open, or is of another
// resource or version than asked for, is none.
func (c *Cache) shared(ctx context.Context, refs []store.Ref, out []fhir.Resource, miss []int) (still []int) {
	keys := make([]string, len(miss))
	for i, at := range miss {
		keys[i] = c.name(refs[at])
	}
	for i, v := range c.Redis.get(ctx, keys) {
		at := miss[i]
		if v != nil {
			if r, err := c.open(keys[i], refs[at], v); err == nil {
				out[at] = r
				c.bodies.Set(refs[at], r)
				continue
			}
			c.Redis.Failures.Add(1)
		}
		still = append(still, at)
	}
	return still
}

func (c *Cache) open(key string, ref store.Ref, sealed []byte) (fhir.Resource, error) {
	plain, err := c.Keys.Open(c.Tenant, purpose, sealed, []byte(key))
	if err != nil {
		return fhir.Resource{}, err
	}
	r, err := fhir.Parse(plain)
	if err != nil {
		return fhir.Resource{}, err
	}
	if r.Key != ref.Key || r.Version != ref.Version {
		return fhir.Resource{}, fmt.Errorf("a cached body is of another version")
	}
	return r, nil
}

// share hands a body to Redis behind the request.
func (c *Cache) share(ref store.Ref, r fhir.Resource) {
	if c.Redis == nil || !c.Redis.asked() {
		return
	}
	key := c.name(ref)
	select {
	case c.Redis.put <- entry{key, c.Keys.Seal(c.Tenant, purpose, r.Body(), []byte(key))}:
	default:
	}
}

// name is a version's key in Redis: an HMAC, so that nobody can look for an id.
func (c *Cache) name(ref store.Ref) string {
	h := c.Keys.Hash(c.Tenant, purpose, ref.Type, ref.ID, strconv.FormatInt(ref.Version, 10))
	return "rapport:b:" + base64.RawURLEncoding.EncodeToString(h[:])
}
