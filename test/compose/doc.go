// Package compose holds the tests of the compose files at the root of the
// repository: the whole world of docker-compose.yml with the simulator in the
// place of Core Lightning, brought up from nothing, paid through, and taken down
// again. They need Docker, so they have the build tag world and belong to
// `make test-world`.
//
// Where no registry can be reached the base images are made from Debian's
// packages and from the Go that is installed.
package compose
