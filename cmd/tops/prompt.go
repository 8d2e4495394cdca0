package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// errNobody is what a question ends with that nobody is there to answer.
var errNobody = errors.New("nobody answers: say --yes, or --dry-run")

// prompt asks a person.
type prompt struct {
	in  *bufio.Reader
	out io.Writer
}

// ask returns the answer to a question, usual if it is empty.
func (p *prompt) ask(question, usual string) (string, error) {
	if usual != "" {
		question += " [" + usual + "]"
	}
	if _, err := fmt.Fprintf(p.out, "%s: ", question); err != nil {
		return "", err
	}
	line, err := p.in.ReadString('\n')
	answer := strings.TrimSpace(line)
	if errors.Is(err, io.EOF) && line == "" {
		fmt.Fprintln(p.out)
		return "", errNobody
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if answer == "" {
		answer = usual
	}
	return answer, nil
}

// agree asks whether to do something. Only a yes is one.
func (p *prompt) agree(question string) (bool, error) {
	answer, err := p.ask(question+" (yes/no)", "no")
	return strings.EqualFold(answer, "yes") || strings.EqualFold(answer, "y"), err
}
