import { randomInt } from 'node:crypto';
import { invalid } from '#/base/errors.ts';

const adjectives: readonly string[] = (
  'able agile amber ample apt arctic azure balmy bold brave breezy brisk bright calm candid careful ' +
  'cheerful civil clever coastal cosy crisp curious daring deft dewy eager early earnest easy elegant ' +
  'even fair fearless fine fleet fluent fond frank free fresh gentle glad golden good graceful grand ' +
  'hardy hearty honest humble ideal jaunty jolly keen kind level light limber lively lucid lucky mellow ' +
  'merry mild modest neat nimble noble patient placid playful plucky polite prompt proud quick quiet ' +
  'rapid ready robust rosy sharp silent silver simple smooth snug sober solid spry steady still sunny ' +
  'sure swift tender tidy trim trusty upbeat vivid warm wise witty zesty'
).split(' ');

const nouns: readonly string[] = (
  'anchor albatross beacon bay bowline breaker buoy cape capstan catamaran channel clipper cockle ' +
  'compass coral cove crab creek current cutter delta dinghy dock dolphin drift eddy estuary ferry ' +
  'fjord float foam frigate galleon gull halyard harbour haven heron hull inlet island jetty jib kayak ' +
  'keel kelp ketch knot lagoon lantern lighthouse lugger mainsail marina mast mooring narwhal oar ocean ' +
  'osprey otter oyster paddle pearl pelican pier pilot plover puffin quay raft reef rigging rudder sail ' +
  'sandbar schooner seal sextant shoal shore skipper sloop sound spar spray spindrift squall starfish ' +
  'stern strait surf swell tern tide tiller trawler turtle urchin voyage wake walrus wave wharf whelk ' +
  'yawl'
).split(' ');

/** A random name of two words, `quiet_harbour`; after a few taken ones, with a digit behind. */
export function randomName(isTaken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt += 1) {
    const digits = attempt < 6 ? '' : String(randomInt(10 ** Math.min(9, attempt - 5)));
    const name = `${pick(adjectives)}_${pick(nouns)}${digits}`;
    if (!isTaken(name)) return name;
  }
}

/** Checks a name that somebody chose, and takes off the leading slash that the API allows. */
export function checkName(name: string): string {
  const bare = name.startsWith('/') ? name.slice(1) : name;
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(bare)) {
    throw invalid(`Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  return bare;
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] ?? 'skiff';
}
