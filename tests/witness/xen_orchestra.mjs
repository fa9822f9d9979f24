// Xen Orchestra's connection to a pool, as its server opens it: one live set of objects, and calls beside it.
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { createClient } from 'xen-api'

const LOST = ['ECONNREFUSED', 'ECONNRESET', 'HOST_STILL_BOOTING', 'UND_ERR_SOCKET']

export default async ({ url, user, password, transport, pollDelay = 500 }) => {
  const xapi = createClient({
    allowUnauthorized: true,
    auth: { user, password },
    debounce: 20,
    eventPollDelay: pollDelay,
    transport,
    url,
  })
  const all = type => Object.values(xapi.objects.all).filter(object => object.$type === type)
  const named = (type, name) => all(type).find(object => object.name_label === name)
  const describe = vm => ({
    ref: vm.$ref,
    uuid: vm.uuid,
    power_state: vm.power_state,
    host: vm.$resident_on?.name_label ?? null,
    disks: vm.$VBDs.filter(vbd => vbd.type === 'Disk').map(vbd => vbd.$VDI.$SR.name_label),
    memory: vm.memory_static_max,
    start_time: vm.$metrics?.start_time,
  })
  const until = async condition => {
    while (!condition()) {
      await new Promise(resolve => xapi.objects.once('finish', resolve))
    }
  }

  return {
    async connect() {
      await xapi.connect()
      await xapi.objectsFetched
      const counts = {}
      for (const { $type } of Object.values(xapi.objects.all)) {
        counts[$type] = (counts[$type] ?? 0) + 1
      }
      return { counts, hostname: xapi._url.hostname }
    },
    // What its server does when a pool is enabled again after it was lost.
    async reconnect() {
      await xapi.disconnect()
      for (;;) {
        try {
          await xapi.connect()
          return { hostname: xapi._url.hostname }
        } catch (error) {
          // A toolstack on its way down or up cuts connections, then refuses them, then says that it boots.
          if (!LOST.includes(error.code)) throw error
        }
        await setTimeout(100)
      }
    },
    guest: ({ name }) => describe(named('VM', name)),
    async see_tag({ name, tag }) {
      await until(() => named('VM', name).tags.includes(tag))
    },
    async see_task({ ref }) {
      await until(() => xapi.getObjectByRef(ref, undefined) !== undefined)
    },
    async see_gone({ ref }) {
      await until(() => xapi.getObjectByRef(ref, undefined) === undefined)
    },
    async see_coordinator({ name }) {
      await until(() => xapi.pool.$master?.name_label === name)
    },
    call: ({ method, params }) => xapi.call(method, ...params),
    async barrier({ name }) {
      return describe(await xapi.barrier(named('VM', name).$ref))
    },
    async migrate({ name, host }) {
      await named('VM', name).$callAsync('pool_migrate', named('host', host).$ref, { live: 'true' })
      return describe(await xapi.barrier(named('VM', name).$ref))
    },
    async cancel_migration({ name, host }) {
      const moving = xapi.callAsync('VM.pool_migrate', named('VM', name).$ref, named('host', host).$ref, {})
      const settled = moving.catch(error => error)
      await until(() => all('task').some(task => task.name_label === 'Async.VM.pool_migrate' && task.progress > 0))
      moving.cancel()
      return String(await settled)
    },
    async snapshot({ name, label }) {
      const made = await xapi.barrier(await named('VM', name).$callAsync('snapshot', label))
      return { name: made.name_label, of: made.$snapshot_of.name_label, disks: made.VBDs.length }
    },
    // As its server makes a full backup of a running guest: a snapshot, its export, a check that the task went well.
    async backup({ name, compress, path }) {
      const made = await xapi.barrier(await named('VM', name).$callAsync('snapshot', `backup of ${name}`))
      const query = { ref: made.$ref, use_compression: compress }
      const response = await xapi.getResource('/export/', { query, task: true })
      // Never held back: its HTTP library trips over a connection that ends while it is, whoever the server is.
      const file = createWriteStream(path)
      response.body.on('data', data => file.write(data))
      await once(response.body, 'end')
      await new Promise(resolve => file.end(resolve))
      await response.task
      await xapi.call('VM.destroy', made.$ref)
      return { bytes: (await stat(path)).size }
    },
    // Its server sends what it cannot tell the length of with a length nobody reaches.
    async restore({ path, sr, knowsLength }) {
      const body = createReadStream(path)
      if (knowsLength) body.length = (await stat(path)).size
      const query = { sr_id: named('SR', sr).$ref }
      const refs = await xapi.putResource(body, '/import/', { query, task: true })
      const [, ref] = /(OpaqueRef:[0-9a-f-]+)/.exec(refs)
      return describe(await xapi.barrier(ref))
    },
    async empty({ host }) {
      const { $ref } = named('host', host)
      await xapi.call('host.disable', $ref)
      await xapi.callAsync('host.evacuate', $ref)
      const emptied = await xapi.barrier($ref)
      return emptied.$resident_VMs.filter(vm => !vm.is_control_domain).map(vm => vm.name_label)
    },
    async tag({ name, tag }) {
      await named('VM', name).add_tags(tag)
    },
    async set_config({ name, key, value }) {
      await named('VM', name).update_other_config(key, value)
      return (await xapi.barrier(named('VM', name).$ref)).other_config[key] ?? null
    },
    async watch_task({ name }) {
      const ref = await xapi.createTask(name)
      const result = xapi.watchTask(ref)
      await xapi.call('task.set_status', ref, 'success')
      await result
      await until(() => xapi.getObjectByRef(ref, undefined) === undefined)
    },
    records: async ({ type }) => (await xapi.getAllRecords(type)).map(record => record.uuid),
    tasks: () => all('task').map(task => task.name_label),
    disconnect: () => xapi.disconnect(),
  }
}
