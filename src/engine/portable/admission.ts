/** One that asks to start. `start` is called once, when it may; whether it still wants to is its own affair. */
export interface Applicant {
  /** What bounds the probes in flight to one place; undefined: nothing that could be overwhelmed. */
  readonly destination: string | undefined;
  readonly start: () => void;
}

interface Place {
  inFlight: number;
  readonly waiting: Queue<Applicant>;
}

/** First in, first out, in constant time; a few may push in at the front. */
class Queue<T> {
  #front: T[] = [];
  #back: T[] = [];

  get isEmpty(): boolean {
    return this.#front.length + this.#back.length === 0;
  }

  push(item: T): void {
    this.#back.push(item);
  }

  pushFirst(item: T): void {
    this.#front.push(item);
  }

  shift(): T | undefined {
    if (this.#front.length === 0) {
      this.#front = this.#back.reverse();
      this.#back = [];
    }
    return this.#front.pop();
  }
}

/** Starts of one turn, so that the loop looks at its sockets in between. */
const STARTS_A_TURN = 64;

/** Who may start: a bound in all and one a destination, first come first served, none held up by another's bound. */
export class Admission {
  readonly #maxInFlight: number;
  readonly #maxPerDestination: number;
  readonly #ready = new Queue<Applicant>();
  readonly #places = new Map<string, Place>();
  #inFlight = 0;
  #pump: NodeJS.Immediate | undefined;

  constructor(maxInFlight: number, maxPerDestination: number) {
    this.#maxInFlight = maxInFlight;
    this.#maxPerDestination = maxPerDestination;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** `first`: before all others, because someone waits for it. */
  request(applicant: Applicant, first = false): void {
    if (first) this.#ready.pushFirst(applicant);
    else this.#ready.push(applicant);
    this.#schedule();
  }

  /** One to this destination ended; whoever waited longest for it queues again behind the others. */
  release(destination: string | undefined): void {
    this.#inFlight -= 1;
    const place = destination === undefined ? undefined : this.#places.get(destination);
    if (destination !== undefined && place !== undefined) {
      place.inFlight -= 1;
      const waiting = place.waiting.shift();
      if (waiting !== undefined) this.#ready.push(waiting);
      else if (place.inFlight === 0) this.#places.delete(destination);
    }
    this.#schedule();
  }

  /** Starts nothing more. */
  close(): void {
    clearImmediate(this.#pump);
  }

  #schedule(): void {
    if (this.#pump !== undefined || this.#ready.isEmpty || this.#inFlight >= this.#maxInFlight) return;
    this.#pump = setImmediate(() => {
      this.#pump = undefined;
      for (let started = 0; started < STARTS_A_TURN; started++) {
        const applicant = this.#next();
        if (applicant === undefined) return;
        applicant.start();
      }
      this.#schedule();
    });
  }

  /** The next that may start; it counts as in flight until `release`. */
  #next(): Applicant | undefined {
    while (this.#inFlight < this.#maxInFlight) {
      const applicant = this.#ready.shift();
      if (applicant === undefined) return undefined;
      if (this.#enter(applicant)) {
        this.#inFlight += 1;
        return applicant;
      }
    }
    return undefined;
  }

  #enter(applicant: Applicant): boolean {
    const { destination } = applicant;
    if (destination === undefined) return true;
    let place = this.#places.get(destination);
    if (place === undefined) {
      place = { inFlight: 0, waiting: new Queue() };
      this.#places.set(destination, place);
    }
    if (place.inFlight >= this.#maxPerDestination) {
      place.waiting.push(applicant);
      return false;
    }
    place.inFlight += 1;
    return true;
  }
}
