package testnet

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const tailLines = 15

// logTail passes what a tor says on to a file, keeps its last lines for error
// texts, and tells of its bootstrap.
type logTail struct {
	progress func(line string)
	percent  int           // of the bootstrap, waited for
	reached  chan struct{} // closed when that much was said

	mu      sync.Mutex // guards what follows
	file    io.WriteCloser
	partial []byte
	lines   []string
	once    sync.Once
}

func newLogTail(path string, percent int, progress func(string)) (*logTail, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &logTail{progress: progress, percent: percent, reached: make(chan struct{}), file: f}, nil
}

// Write takes tor's standard output. It never fails: a full disk must not stop
// a tor that could go on.
func (l *logTail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file.Write(p)
	l.partial = append(l.partial, p...)
	for {
		line, rest, ok := bytes.Cut(l.partial, []byte("\n"))
		if !ok {
			break
		}
		l.lineLocked(string(line))
		l.partial = slices.Clone(rest)
	}
	return len(p), nil
}

func (l *logTail) lineLocked(line string) {
	if len(l.lines) == tailLines {
		l.lines = slices.Delete(l.lines, 0, 1)
	}
	l.lines = append(l.lines, line)
	_, phase, ok := strings.Cut(line, "Bootstrapped ")
	if !ok {
		return
	}
	if l.progress != nil {
		l.progress("bootstrapped " + phase)
	}
	number, _, _ := strings.Cut(phase, "%")
	if percent, err := strconv.Atoi(number); err == nil && percent >= l.percent {
		l.once.Do(func() { close(l.reached) })
	}
}

// tail is the last lines, indented, with a newline before each.
func (l *logTail) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, line := range l.lines {
		b.WriteString("\n    " + line)
	}
	return b.String()
}

func (l *logTail) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
