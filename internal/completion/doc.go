// Package completion writes what completes the commands of tops in bash, zsh and
// fish, from kong's model of the command line, so that it knows what the program
// knows.
//
//	err := completion.Write(os.Stdout, "bash", kong.Model)
//
// Each script finds where in the tree of commands the line is, and offers what may
// come there: commands, flags, the values of a flag, files.
package completion
