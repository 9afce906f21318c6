package telemetry

import "time"

// Connections are those of a pool to the database.
type Connections struct {
	InUse, Idle, Limit int
	Waits              int64         // of callers who got no connection at once
	Waited             time.Duration // by all of them
}

// WatchConnections publishes the pools of connections to the database, by name, read at every
// scrape. It may be called once; pools must be safe for concurrent use.
func (m *Metrics) WatchConnections(pools func() map[string]Connections) {
	byPool := func(read func(Connections) float64) func(Emit) {
		return func(emit Emit) {
			for name, s := range pools() {
				emit(read(s), name)
			}
		}
	}
	m.watchGauge("store_connections", "Open connections to the database, by pool and state: in_use or idle.", []string{"pool", "state"}, func(emit Emit) {
		for name, s := range pools() {
			emit(float64(s.InUse), name, "in_use")
			emit(float64(s.Idle), name, "idle")
		}
	})
	label := []string{"pool"}
	m.watchGauge("store_connections_limit", "Largest number of connections to the database, by pool.", label,
		byPool(func(s Connections) float64 { return float64(s.Limit) }))
	m.watchCounter("store_connection_waits_total", "Times that a caller waited for a connection to the database, by pool.", label,
		byPool(func(s Connections) float64 { return float64(s.Waits) }))
	m.watchCounter("store_connection_wait_seconds_total", "Time that callers waited for a connection to the database, by pool.", label,
		byPool(func(s Connections) float64 { return s.Waited.Seconds() }))
}

// RedisConnections are the connections of a replica to Redis.
type RedisConnections struct {
	InUse, Idle int
	Timeouts    uint64 // of callers who waited for one
}

// WatchRedis publishes the connections to Redis, read at every scrape. It may be called
// once; read must be safe for concurrent use.
func (m *Metrics) WatchRedis(read func() RedisConnections) {
	m.watchGauge("redis_connections", "Open connections to Redis, by state: in_use or idle.", []string{"state"}, func(emit Emit) {
		c := read()
		emit(float64(c.InUse), "in_use")
		emit(float64(c.Idle), "idle")
	})
	m.watchCounter("redis_connection_timeouts_total", "Times that a caller waited in vain for a connection to Redis.", nil, func(emit Emit) {
		emit(float64(read().Timeouts))
	})
}

// WatchBreaker publishes the state of the circuit breaker, which is one of states, read at
// every scrape. It may be called once; current must be safe for concurrent use.
func (m *Metrics) WatchBreaker(states []string, current func() string) {
	m.watchGauge("upstream_breaker_state", "1 for the state of the circuit breaker of calls to the vendor: closed, open (no calls for a while) or half_open.", []string{"state"}, func(emit Emit) {
		now := current()
		for _, state := range states {
			value := 0.0
			if state == now {
				value = 1
			}
			emit(value, state)
		}
	})
}

// KeyCredits are the credits of an API key, as far as the vendor has told them.
type KeyCredits struct {
	Name             string
	Remaining, Limit float64
}

// WatchKeys publishes the credits of API keys, and how many requests wait for the turn of a
// key, read at every scrape. It may be called once; the functions must be safe for concurrent use.
func (m *Metrics) WatchKeys(credits func() []KeyCredits, waiting func() int) {
	label := []string{"key"}
	m.watchGauge("upstream_key_credits", "Credits left in the vendor's account of an API key, as last told; absent while unknown or without a limit.", label, func(emit Emit) {
		for _, k := range credits() {
			emit(k.Remaining, k.Name)
		}
	})
	m.watchGauge("upstream_key_credits_limit", "Credits of the vendor's account of an API key in a period.", label, func(emit Emit) {
		for _, k := range credits() {
			emit(k.Limit, k.Name)
		}
	})
	m.watchGauge("upstream_queue_requests", "Requests that wait for the turn of an API key, so that the vendor's rate is kept.", nil, func(emit Emit) {
		emit(float64(waiting()))
	})
}

// WatchSpool publishes the size on disk of the files that are being sent, and its limit, in
// bytes, read at every scrape. It may be called once; used must be safe for concurrent use.
func (m *Metrics) WatchSpool(used func() int64, limit int64) {
	m.watchGauge("spool_bytes", "Size on disk of answers that are complete and being sent.", nil, func(emit Emit) { emit(float64(used())) })
	m.watchGauge("spool_limit_bytes", "Largest size of spool_bytes (store.export_max).", nil, func(emit Emit) { emit(float64(limit)) })
}
