// Lets a test ask for the functions that a module of this folder makes:
//   node bridge.mjs MODULE SETTINGS
// MODULE's default export is called with the settings and gives an object of async functions. Each line on standard input
// is {"id", "do": name, "with": arguments}; each line on standard output is {"id", "result"} or {"id", "error"}.
import { createInterface } from 'node:readline'

const [, , module, settings] = process.argv
// Standard output is for answers; what libraries say belongs on standard error.
console.log = console.info = console.debug = console.error

const say = answer => process.stdout.write(`${JSON.stringify(answer)}\n`)
const describe = error => ({
  message: String(error?.message ?? error),
  code: error?.code,
  params: error?.params,
  data: error?.data,
})

const { default: make } = await import(`./${module}`)
const functions = await make(JSON.parse(settings))

createInterface({ input: process.stdin }).on('line', async line => {
  const { id, do: name, with: given } = JSON.parse(line)
  try {
    say({ id, result: await functions[name](given) })
  } catch (error) {
    say({ id, error: describe(error) })
  }
})
