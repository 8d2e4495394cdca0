package client

import (
	"time"

	"github.com/el-tor/tops/internal/experience"
)

// openBook reads what earlier processes learnt of relays. What cannot be read is
// no reason not to run: it is learnt anew.
func (c *Client) openBook() {
	o := experience.Options{HalfLife: time.Duration(c.cfg.Client.ExperienceHalfLife), Now: c.cfg.Now}
	book, err := experience.Open(c.cfg.BookFile, o)
	if err != nil {
		c.failed(err)
		book = experience.New(c.cfg.BookFile, o)
	}
	c.book = book
}
