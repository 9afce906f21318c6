package sandbox

// The samples that answer PublicKey. They read nothing of the request and change nothing,
// but add files whose links work.

func (s *Sandbox) sampleStatement(src source) handler {
	return func(*call) (reply, error) { return ok(s.statement(src, "")) }
}

func (s *Sandbox) sampleContractNote(*call) (reply, error) {
	return parsedNote("unknown", brokerNames[""])
}

func (s *Sandbox) sampleGenerate(*call) (reply, error) { return ok(generated) }

func (s *Sandbox) sampleSession(*call) (reply, error) { return otpSent("cs_sample") }

func (s *Sandbox) sampleFetch(c *call) (reply, error) { return s.fetched(c, "", defaultPeriods) }

// sampleConnect answers with a link to a consent page that does not exist.
func (s *Sandbox) sampleConnect(c *call) (reply, error) {
	return consentLink(c, "sample", providers[0])
}

func (s *Sandbox) sampleInbox(c *call) (reply, error) { return s.mailboxSample(c).status() }

func (s *Sandbox) sampleInboxFiles(c *call) (reply, error) {
	return s.pulled(c, "it_sample", s.mailboxSample(c), func(mailboxStatement) bool { return true })
}

func (s *Sandbox) mailboxSample(c *call) inbox {
	return newInbox(c.account, providers[0], "", s.opts.Now())
}

func (s *Sandbox) sampleDisconnect(*call) (reply, error) { return ok(disconnected) }

func (s *Sandbox) sampleAddress(status int) handler {
	return func(c *call) (reply, error) { return reply{status, s.addressSample(c)}, nil }
}

func (s *Sandbox) sampleAddresses(c *call) (reply, error) {
	return addressList([]address{s.addressSample(c)}, 1, defaultAddresses, 0)
}

func (s *Sandbox) sampleDelete(*call) (reply, error) { return ok(deleted) }

func (s *Sandbox) sampleAddressFiles(c *call) (reply, error) {
	now := s.opts.Now().UTC()
	f := s.addMailFile(c.base, "msg_sample", content{source: cdsl}, now, polledTTL)
	f.ReceivedAt = now.Format(timestamp)
	return listFiles([]mailFile{f})
}

func (s *Sandbox) addressSample(c *call) address {
	now := s.opts.Now().UTC()
	a := address{
		ID: "ie_sample", Email: "sample" + mailDomain, Status: "active", AllowedSources: []string{}, Metadata: map[string]string{},
		CreatedAt: now, UpdatedAt: now, account: c.account, expires: now.Add(polledTTL),
	}
	return a.shown(now)
}
