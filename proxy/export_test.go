package proxy

// LoadsStreams is loadsStreams.
var LoadsStreams = loadsStreams
