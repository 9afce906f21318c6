package sandbox

import "time"

// mailFile is a statement that came by mail, in the form which the inbox, the
// inbound address and its callback share.
type mailFile struct {
	MessageID        string    `json:"message_id"`
	Filename         string    `json:"filename"`
	OriginalFilename string    `json:"original_filename"`
	MessageDate      time.Time `json:"message_date"`
	CASType          source    `json:"cas_type"`
	SenderEmail      string    `json:"sender_email"`
	Size             int       `json:"size"` // bytes
	URL              string    `json:"url"`
	ExpiresIn        int       `json:"expires_in"` // seconds
}

// mailed puts a statement up for download for life and describes it.
func (s *Sandbox) mailed(base, messageID string, src source, received time.Time, life time.Duration) mailFile {
	received = received.UTC().Truncate(time.Second)
	f := file{source: src, day: received.Format(time.DateOnly), expires: s.opts.Now().Add(life)}
	f.name = src.fileName(received.Format("20060102"), newID("")[:8])
	link, size := s.keepFile(base, f)
	return mailFile{
		MessageID: messageID, Filename: f.name, OriginalFilename: "statement.pdf", MessageDate: received,
		CASType: src, SenderEmail: src.sender(), Size: size, URL: link, ExpiresIn: int(life / time.Second),
	}
}
