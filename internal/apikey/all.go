package apikey

// All returns all keys, also those that are set aside, in the order of the settings. It
// waits for no turn.
func (p *Pool) All() []*Key {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*Key, len(p.keys))
	for i, k := range p.keys {
		list[i] = &Key{Name: k.Name, Value: k.Value, pool: p, key: k, version: k.version}
	}
	return list
}
