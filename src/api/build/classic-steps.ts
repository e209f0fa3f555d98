import { shortId } from '#/base/ids.ts';
import type {
  BuildEvent,
  DockerfileEvent,
  LogEvent,
  PlannedInstruction,
  StatusEvent,
  VertexEvent,
} from '#/builder/progress.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import type { ProgressMessage } from '#/wire/json-stream.ts';
import { progressBar } from '#/wire/progress-bar.ts';
import type { ClassicStates } from './classic-states.ts';

/** Output of a step that is held back while earlier ones are not over is cut after this many bytes. */
const maxHeld = 1024 * 1024;
const clipped = '[output clipped]\n';

/** What is known of one vertex. */
interface Vertex {
  last: VertexEvent | undefined;
  /** Output that may not be shown yet. */
  held: ProgressMessage[];
  heldBytes: number;
  /** " ---> Running in" has been said. */
  announced: boolean;
}

/** What the client wants of a build that changes the words. */
export interface ClassicWishes {
  /** What the client adds: the classic builder counts each as an instruction. */
  readonly labels: ReadonlyMap<string, string>;
  readonly removesContainers: boolean;
  readonly noCache: boolean;
}

/**
 * Tells of a build as Docker's classic builder does, which carries out one instruction after the other: `Step 2/5 : RUN …`,
 * ` ---> Using cache`, ` ---> 0123456789ab`. What happens at the same time in later steps is told when their turn comes. The
 * states between the first and the last are no images here; they have names all the same.
 */
export class ClassicSteps {
  readonly #write: (message: ProgressMessage) => void;
  readonly #says: (text: string) => void;
  readonly #wishes: ClassicWishes;
  readonly #states: ClassicStates;
  readonly #vertices = new Map<Digest, Vertex>();
  #written: DockerfileEvent['instructions'] = [];
  #instructions: readonly PlannedInstruction[] = [];
  /** Those that are counted. */
  #total = 0;
  /** The instruction whose turn it is, its number, and whether it has been said. */
  #current = 0;
  #number = 0;
  #isSaid = false;
  /** The state that the last instruction has come to; empty: nothing is there yet. */
  #state = '';
  /** The stage that it belongs to, and the last states of stages, by number and by name. */
  #stage = -1;
  readonly #stages = new Map<string, string>();
  #stageNames: readonly string[] = [];

  /** `states` are those that builds have come to before. */
  constructor(write: (message: ProgressMessage) => void, wishes: ClassicWishes, states: ClassicStates) {
    this.#write = write;
    this.#says = (stream) => write({ stream });
    this.#wishes = wishes;
    this.#states = states;
  }

  /** The Dockerfile has been read. */
  get isRead(): boolean {
    return this.#written.length > 0;
  }

  /** Takes over one event and says what can be said now. */
  take(event: BuildEvent): void {
    switch (event.kind) {
      case 'dockerfile':
        this.#written = event.instructions;
        return;
      case 'plan':
        this.#plan(event.instructions);
        break;
      case 'vertex':
        this.#vertex(event.digest).last = event;
        break;
      case 'log':
        this.#log(event);
        return;
      case 'status':
        this.#status(event);
        return;
      case 'warning':
        // The classic builder knows only of empty lines, which it tells of in words of its own.
        return;
      default:
        event satisfies never;
    }
    while (this.#isOver()) {
      this.#current += 1;
      this.#isSaid = false;
    }
  }

  /** Says the last state by the name of the image. */
  finish(image: Digest): void {
    this.#says(` ---> ${shortId(image)}\n`);
  }

  /** Says the instructions up to the one at `line` of the Dockerfile, which cannot be carried out, if there is no plan. */
  breakOff(line: number): void {
    if (this.#instructions.length > 0) return;
    this.#tellGaps();
    const all = this.#written;
    for (const [index, { text, line: start }] of all.entries()) {
      if (start <= line) this.#sayStep(`${index + 1}/${all.length}`, text);
    }
  }

  #plan(planned: readonly PlannedInstruction[]): void {
    this.#tellGaps();
    const labels = [...this.#wishes.labels].toSorted(([one], [other]) => (one < other ? -1 : 1));
    const added = labels.map(([name, value]): PlannedInstruction => {
      const text = `LABEL ${name}=${value}`;
      return { text, vertex: undefined, role: 'own', told: text };
    });
    this.#instructions = [...this.#instructions, ...planned, ...added];
    this.#total = this.#instructions.filter(({ role }) => role !== 'trigger').length;
  }

  #tellGaps(): void {
    const texts = this.#written.filter(({ hasGap }) => hasGap).map(({ text }) => text);
    if (texts.length === 0) return;
    const warn = (text: string): void => this.#says(`\u001b[91m[WARNING]: ${text}\n\u001b[0m`);
    for (const text of texts) warn(`Empty continuation line found in: ${text}`);
    warn('Empty continuation lines will become errors in a future release.');
  }

  #sayStep(number: string, text: string): void {
    this.#says(`Step ${number} : ${text}`);
    this.#says('\n');
  }

  #vertex(digest: Digest): Vertex {
    const known = this.#vertices.get(digest);
    if (known !== undefined) return known;
    const vertex: Vertex = { last: undefined, held: [], heldBytes: 0, announced: false };
    this.#vertices.set(digest, vertex);
    return vertex;
  }

  /** Says what there is to say of the current instruction; whether the next one is due. */
  #isOver(): boolean {
    const instruction = this.#instructions[this.#current];
    if (instruction === undefined) return false;
    const { text, role } = instruction;
    if (!this.#isSaid && role !== 'trigger') {
      this.#number += 1;
      this.#sayStep(`${this.#number}/${this.#total}`, text);
    }
    this.#isSaid = true;
    if (role === 'argument') return true;
    const isFrom = role === 'own' && /^FROM\s/i.test(text);
    if (instruction.vertex === undefined) {
      return isFrom ? this.#stateIs(this.#beginStage(text)) : this.#configured(instruction);
    }
    const vertex = this.#vertex(instruction.vertex);
    const { last } = vertex;
    if (last?.started === undefined && last?.completed === undefined) return false;
    const runs = /^(?:RUN|WORKDIR)\s/i.test(text) && !last.cached;
    const container = shortId(instruction.vertex);
    const isOver = last.completed !== undefined;
    // A step that has only begun may still turn out to be in the cache.
    if (runs && !vertex.announced && (isOver || vertex.held.length > 0)) {
      this.#says(` ---> Running in ${container}\n`);
      vertex.announced = true;
    }
    for (const message of vertex.held.splice(0)) this.#write(message);
    if (!isOver || last.error !== undefined) return false;
    const result = last.result ?? '';
    if (isFrom) {
      this.#beginStage(text);
      return this.#stateIs(result);
    }
    if (last.cached) this.#says(' ---> Using cache\n');
    if (runs) this.#removed(container);
    return this.#stateIs(digestOf(JSON.stringify([this.#state, text, result])));
  }

  /** Says what an instruction that changes only the configuration has come to. */
  #configured({ text, told }: PlannedInstruction): true {
    const state = digestOf(JSON.stringify([this.#state, text, told]));
    if (this.#states.meet(state) && !this.#wishes.noCache) this.#says(' ---> Using cache\n');
    else {
      const container = shortId(digestOf(`container of ${state}`));
      this.#says(` ---> Running in ${container}\n`);
      this.#removed(container);
    }
    return this.#stateIs(state);
  }

  #removed(container: string): void {
    if (this.#wishes.removesContainers) this.#says(` ---> Removed intermediate container ${container}\n`);
  }

  #stateIs(state: string): true {
    this.#state = state;
    for (const name of this.#stageNames) this.#stages.set(name, state);
    const [done, next] = this.#instructions.slice(this.#current, this.#current + 2);
    if (next?.role !== 'trigger') {
      // The last one has the name of the image.
      if (next !== undefined) this.#says(` ---> ${state === '' ? '' : shortId(state)}\n`);
    } else if (done?.role !== 'trigger') {
      const rest = this.#instructions.slice(this.#current + 1);
      const count = rest.findIndex(({ role }) => role !== 'trigger');
      const triggers = count < 0 ? rest.length : count;
      this.#says(`# Executing ${triggers} build trigger${triggers === 1 ? '' : 's'}\n`);
    }
    return true;
  }

  /** Remembers what the stage is called; gives the state of the stage that it is based on, if it is based on one. */
  #beginStage(text: string): string {
    const [, image = '', name = ''] = /^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(text) ?? [];
    this.#stage += 1;
    this.#stageNames = [String(this.#stage), ...(name === '' ? [] : [name.toLowerCase()])];
    return this.#stages.get(image.toLowerCase()) ?? '';
  }

  #log({ vertex: digest, stream, data }: LogEvent): void {
    const text = data.toString();
    const message = { stream: stream === 2 ? `\u001b[91m${text}\u001b[0m` : text };
    const vertex = this.#vertex(digest);
    if (this.#isSaid && this.#instructions[this.#current]?.vertex === digest) {
      vertex.held.push(message);
      this.#isOver();
      return;
    }
    if (vertex.heldBytes > maxHeld) return;
    vertex.heldBytes += data.length;
    vertex.held.push(vertex.heldBytes > maxHeld ? { stream: clipped } : message);
  }

  /** Layers of base images are told of as in a pull; other parts of steps are not. */
  #status({ id, current, total, completed }: StatusEvent): void {
    const layer = /^(?:\w+ )?sha256:([0-9a-f]{12})/.exec(id)?.[1];
    if (layer === undefined) return;
    if (completed !== undefined) {
      this.#write({ status: 'Pull complete', progressDetail: {}, id: layer });
      return;
    }
    const progressDetail = { current, total };
    const progress = progressBar(progressDetail);
    this.#write({ status: 'Downloading', progressDetail, progress, id: layer });
  }
}
