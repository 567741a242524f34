/**
 * The part of the Reflect metadata API that @peculiar/x509 asks for when it is loaded: its registry keeps notes on
 * classes. To be imported before it. Where somebody else has brought the API, that one stays.
 */

type Notes = Map<unknown, unknown>;

interface MetadataReflect {
  defineMetadata?: (key: unknown, value: unknown, target: object, property?: PropertyKey) => void;
  getOwnMetadata?: (key: unknown, target: object, property?: PropertyKey) => unknown;
  getMetadata?: (key: unknown, target: object, property?: PropertyKey) => unknown;
  metadata?: (key: unknown, value: unknown) => (target: object, property?: PropertyKey) => void;
}

const notes = new WeakMap<object, Map<PropertyKey | undefined, Notes>>();

function define(key: unknown, value: unknown, target: object, property?: PropertyKey): void {
  const ofTarget = notes.get(target) ?? new Map<PropertyKey | undefined, Notes>();
  notes.set(target, ofTarget);
  const ofProperty = ofTarget.get(property) ?? new Map<unknown, unknown>();
  ofTarget.set(property, ofProperty);
  ofProperty.set(key, value);
}

function getOwn(key: unknown, target: object, property?: PropertyKey): unknown {
  return notes.get(target)?.get(property)?.get(key);
}

/** Notes of a class are found on those that extend it. */
function get(key: unknown, target: object, property?: PropertyKey): unknown {
  for (let at: object | null = target; at !== null; at = Reflect.getPrototypeOf(at)) {
    const value = getOwn(key, at, property);
    if (value !== undefined) return value;
  }
  return undefined;
}

const reflect = Reflect as typeof Reflect & MetadataReflect;

if (reflect.getMetadata === undefined) {
  reflect.defineMetadata = define;
  reflect.getOwnMetadata = getOwn;
  reflect.getMetadata = get;
  reflect.metadata = (key, value) => (target, property) => define(key, value, target, property);
}
