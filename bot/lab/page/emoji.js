// The emoji short names that operations people and the bot use; an unknown name stays as typed, as in Slack.

const EMOJI = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", no_entry: "⛔", no_entry_sign: "🚫",
  octagonal_sign: "🛑", information_source: "ℹ️", question: "❓", exclamation: "❗", bulb: "💡", bell: "🔔",
  red_circle: "🔴", large_orange_circle: "🟠", large_yellow_circle: "🟡", large_green_circle: "🟢",
  large_blue_circle: "🔵", white_circle: "⚪", black_circle: "⚫", large_purple_circle: "🟣",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", stopwatch: "⏱️", alarm_clock: "⏰", clock1: "🕐",
  arrow_right: "➡️", arrow_left: "⬅️", arrow_up: "⬆️", arrow_down: "⬇️", arrows_counterclockwise: "🔄",
  rocket: "🚀", fire: "🔥", boom: "💥", zap: "⚡", lock: "🔒", unlock: "🔓", key: "🔑", shield: "🛡️",
  floppy_disk: "💾", package: "📦", computer: "💻", desktop_computer: "🖥️", gear: "⚙️", wrench: "🔧",
  hammer: "🔨", tools: "🛠️", mag: "🔍", clipboard: "📋", memo: "📝", page_facing_up: "📄", bar_chart: "📊",
  chart_with_upwards_trend: "📈", calendar: "📅", link: "🔗", pushpin: "📌", inbox_tray: "📥", outbox_tray: "📤",
  robot_face: "🤖", eyes: "👀", wave: "👋", "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎",
  raised_hand: "✋", pray: "🙏", ok_hand: "👌", clap: "👏", tada: "🎉", smile: "😄", slightly_smiling_face: "🙂",
  thinking_face: "🤔", sob: "😭", heart: "❤️", star: "⭐", snowflake: "❄️", zzz: "💤", ghost: "👻", skull: "💀",
  checkered_flag: "🏁", construction: "🚧", rotating_light: "🚨", recycle: "♻️", pause_button: "⏸️",
  double_vertical_bar: "⏸️", arrow_forward: "▶️", black_square_for_stop: "⏹️", speech_balloon: "💬",
};

/** The character for a short name without its colons, or null. */
export function findEmoji(name) {
  return Object.hasOwn(EMOJI, name) ? EMOJI[name] : null;
}

/** Text with its `:names:` made into emoji. */
export function fillEmoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => findEmoji(name) ?? whole);
}
