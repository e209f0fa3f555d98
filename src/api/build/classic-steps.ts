import { shortId } from '#/base/ids.ts';
import type {
  BuildEvent,
  LogEvent,
  PlannedInstruction,
  StatusEvent,
  VertexEvent,
} from '#/builder/progress.ts';
import type { Digest } from '#/oci/digest.ts';
import type { ProgressMessage } from '#/wire/json-stream.ts';
import { progressBar } from '#/wire/progress-bar.ts';

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

/**
 * Tells of a build as Docker's classic builder does, which carries out one instruction after the other: `Step 2/5 : RUN …`,
 * ` ---> Using cache`, ` ---> 0123456789ab`. What happens at the same time in later steps is told when their turn comes.
 */
export class ClassicSteps {
  readonly #write: (message: ProgressMessage) => void;
  readonly #extra: readonly string[];
  readonly #says: (text: string) => void;
  readonly #removesContainers: boolean;
  readonly #vertices = new Map<Digest, Vertex>();
  #instructions: readonly PlannedInstruction[] = [];
  /** The instruction whose turn it is, and whether it has been said. */
  #current = 0;
  #isSaid = false;
  /** The layer that the last instruction made. */
  #layer = '';
  /** The stage that it belongs to, and the last layers of stages, by number and by name. */
  #stage = -1;
  readonly #stages = new Map<string, string>();
  #stageNames: readonly string[] = [];

  /** `labels` are those that the client adds: the classic builder counts them as an instruction. */
  constructor(
    write: (message: ProgressMessage) => void,
    options: { readonly labels: ReadonlyMap<string, string>; readonly removesContainers: boolean },
  ) {
    this.#write = write;
    this.#says = (stream) => write({ stream });
    this.#removesContainers = options.removesContainers;
    const labels = [...options.labels].map(([name, value]) => `${word(name)}=${word(value)}`);
    this.#extra = labels.length === 0 ? [] : [`LABEL ${labels.join(' ')}`];
  }

  /** Takes over one event and says what can be said now. */
  take(event: BuildEvent): void {
    switch (event.kind) {
      case 'plan': {
        const added = this.#extra.map((text) => ({ text, vertex: undefined }));
        this.#instructions = [...this.#instructions, ...event.instructions, ...added];
        break;
      }
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
        // The classic builder has none.
        return;
      default:
        event satisfies never;
    }
    while (this.#isOver()) {
      this.#current += 1;
      this.#isSaid = false;
    }
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
    const { text } = instruction;
    if (!this.#isSaid) {
      this.#says(`Step ${this.#current + 1}/${this.#instructions.length} : ${text}`);
      this.#says('\n');
      this.#isSaid = true;
    }
    const isFrom = /^FROM\s/i.test(text);
    if (instruction.vertex === undefined) {
      if (isFrom) this.#layer = this.#beginStage(text);
      return this.#layerIs(this.#layer);
    }
    const vertex = this.#vertex(instruction.vertex);
    const { last } = vertex;
    if (last?.started === undefined && last?.completed === undefined) return false;
    const runs = /^RUN\s/i.test(text) && !last.cached;
    const container = shortId(instruction.vertex);
    const isOver = last.completed !== undefined;
    // A step that has only begun may still turn out to be in the cache.
    if (runs && !vertex.announced && (isOver || vertex.held.length > 0)) {
      this.#says(` ---> Running in ${container}\n`);
      vertex.announced = true;
    }
    for (const message of vertex.held.splice(0)) this.#write(message);
    if (!isOver || last.error !== undefined) return false;
    if (last.cached && !isFrom) this.#says(' ---> Using cache\n');
    if (runs && this.#removesContainers) this.#says(` ---> Removed intermediate container ${container}\n`);
    if (isFrom) this.#beginStage(text);
    return this.#layerIs(last.result === undefined ? this.#layer : shortId(last.result));
  }

  #layerIs(layer: string): true {
    this.#layer = layer;
    for (const name of this.#stageNames) this.#stages.set(name, layer);
    this.#says(` ---> ${layer}\n`);
    return true;
  }

  /** Remembers what the stage is called; gives the layer of the stage that it is based on, if it is based on one. */
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

/** A word as a Dockerfile has it. */
function word(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : JSON.stringify(text);
}
