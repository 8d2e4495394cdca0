"""Listen to events with stem, build a circuit, and hear of it. Argument: the control port."""

import queue
import sys

from stem.control import Controller, EventType

with Controller.from_port(port = int(sys.argv[1])) as controller:
  controller.authenticate()
  heard = queue.Queue()
  controller.add_event_listener(heard.put, EventType.BW, EventType.CIRC)
  relays = [r.fingerprint for r in controller.get_network_statuses()]
  circ = controller.new_circuit(relays[:3], await_build = True)
  bandwidth = built = False
  while not (bandwidth and built):
    event = heard.get(timeout = 20)
    bandwidth = bandwidth or event.type == 'BW'
    built = built or event.type == 'CIRC' and event.id == circ and event.status == 'BUILT'
  controller.close_circuit(circ)
  print('heard of the bandwidth, and of circuit %s through %d relays' % (circ, len(relays[:3])))
