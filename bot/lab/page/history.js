// What each person has sent from this tab, so that arrow-up brings it back.

import { recall, remember } from "./store.js";

const KEPT = 50;
const sent = new Map(); // person → texts, newest first
const walking = { person: null, at: -1 };

function listOf(person) {
  if (!sent.has(person)) sent.set(person, JSON.parse(recall(`sent-${person}`) ?? "[]"));
  return sent.get(person);
}

/** Remembers what a person has sent. */
export function rememberSent(person, text) {
  const kept = [text, ...listOf(person).filter((one) => one !== text)].slice(0, KEPT);
  sent.set(person, kept);
  remember(`sent-${person}`, JSON.stringify(kept));
  walking.at = -1;
}

/** The text that is `step` further back than `shown`, "" at the near end; null where the field must be left alone:
 *  there is nothing further, or a person has typed something of their own. */
export function walkSent(person, shown, step) {
  const texts = listOf(person);
  const isWalking = walking.person === person && walking.at >= 0 && texts[walking.at] === shown;
  if (!isWalking && shown !== "") return null;
  const at = (isWalking ? walking.at : -1) + step;
  if (at >= texts.length || at < -1) return null;
  Object.assign(walking, { person, at });
  return at < 0 ? "" : texts[at];
}
