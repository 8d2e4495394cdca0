"""Build a circuit with txtorcon. Argument: the control port."""

import sys

import txtorcon
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import react


async def main(reactor):
  tor = await txtorcon.connect(reactor, TCP4ClientEndpoint(reactor, '127.0.0.1', int(sys.argv[1])))
  state = await tor.create_state()
  path = sorted(state.routers_by_hash.values(), key = lambda router: router.id_hex)[:3]
  circuit = await state.build_circuit(routers = path, using_guards = False)
  await circuit.when_built()
  print('built circuit %s: %s' % (circuit.id, ' '.join(router.name for router in circuit.path)))
  if [router.id_hex for router in circuit.path] != [router.id_hex for router in path]:
    sys.exit('it has another path')
  await circuit.close()


react(lambda reactor: ensureDeferred(main(reactor)))
