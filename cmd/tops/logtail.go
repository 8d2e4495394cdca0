package main

import (
	"bytes"
	"sync"
)

// logTail keeps the last lines of the log, for a debug bundle.
type logTail struct {
	mu    sync.Mutex
	lines [][]byte // a ring
	next  int
}

func newLogTail() *logTail { return &logTail{lines: make([][]byte, 500)} }

// Write takes one line.
func (t *logTail) Write(line []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines[t.next] = bytes.Clone(line)
	t.next = (t.next + 1) % len(t.lines)
	return len(line), nil
}

// Bytes are the lines, the oldest first.
func (t *logTail) Bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Join(append(t.lines[t.next:len(t.lines):len(t.lines)], t.lines[:t.next]...), nil)
}
