// Package chromium is a headless Chromium for tests of what people see
// (`go test -tags world`). A [Page] remembers what a person would never notice:
// errors on its console, and requests to any host but the page's own.
package chromium
