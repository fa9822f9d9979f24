// Slack's date tokens and the times beside messages, in the zone of whoever looks.

const LANGUAGE = "en";

function part(date, options) {
  return new Intl.DateTimeFormat(LANGUAGE, options).format(date);
}

function dayDistance(date) {
  const midnight = (of) => new Date(of.getFullYear(), of.getMonth(), of.getDate()).getTime();
  return Math.round((midnight(date) - midnight(new Date())) / 86400000);
}

function pretty(date, otherwise) {
  const day = { "-1": "yesterday", 0: "today", 1: "tomorrow" }[dayDistance(date)];
  return day ?? otherwise;
}

function ago(date) {
  const seconds = Math.round((date.getTime() - Date.now()) / 1000);
  const format = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return format.format(Math.round(seconds / size), unit);
  }
  return format.format(seconds, "second");
}

const LONG = { weekday: "long", day: "numeric", month: "long", year: "numeric" };
const MIDDLE = { day: "numeric", month: "long", year: "numeric" };
const SHORT = { day: "numeric", month: "short", year: "numeric" };
const TIME = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

const TOKENS = {
  date_num: (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`,
  date: (date) => part(date, MIDDLE),
  date_short: (date) => part(date, SHORT),
  date_long: (date) => part(date, LONG),
  date_pretty: (date) => pretty(date, part(date, MIDDLE)),
  date_short_pretty: (date) => pretty(date, part(date, SHORT)),
  date_long_pretty: (date) => pretty(date, part(date, LONG)),
  time: (date) => part(date, TIME),
  time_secs: (date) => part(date, { ...TIME, second: "2-digit" }),
  ago,
};

function two(number) {
  return String(number).padStart(2, "0");
}

/** Fills Slack's `{date_short_pretty} at {time}` for a Unix time in seconds; null when it is no time. */
export function fillDate(seconds, format) {
  const date = new Date(Number(seconds) * 1000);
  if (!/^\d+$/.test(String(seconds)) || Number.isNaN(date.getTime())) return null;
  return format.replace(/\{(\w+)\}/g, (whole, token) => TOKENS[token]?.(date) ?? whole);
}

/** When a message was posted: [clock time, full date and time]. */
export function messageTime(ts) {
  const date = new Date(Number(ts.split(".")[0]) * 1000);
  return [part(date, TIME), part(date, { ...LONG, ...TIME, second: "2-digit" })];
}

/** The day of a message as a heading: "Today", "Yesterday" or the date. */
export function dayHeading(ts) {
  const date = new Date(Number(ts.split(".")[0]) * 1000);
  const day = pretty(date, part(date, { weekday: "long", day: "numeric", month: "long" }));
  return day.charAt(0).toUpperCase() + day.slice(1);
}
