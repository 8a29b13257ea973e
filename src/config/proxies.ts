/** Addresses of proxies, as `proxy-addr` takes them. */

const NAMES = 'loopback|linklocal|uniquelocal'
const V4 = String.raw`\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?`
const V6 = String.raw`[0-9a-fA-F:]*:[0-9a-fA-F:.]*(?:/\d{1,3})?`
const ONE = `(?:${NAMES}|${V4}|${V6})`

/** A list with commas; `allowed` says the same in words. */
export const PROXY_LIST = {
  pattern: `^${ONE}(?:\\s*,\\s*${ONE})*$`,
  allowed:
    'addresses or networks with commas between, such as 10.0.0.0/8,127.0.0.1; or loopback, uniquelocal, linklocal',
}
