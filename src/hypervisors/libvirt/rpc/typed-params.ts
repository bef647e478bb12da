import { malformed, type XdrReader } from './xdr.js';

/** Of one domain's statistics. */
const MAX_PARAMS = 65_536;

/** libvirt's lists of named values; numbers beyond what JavaScript holds exactly are rounded. */
export function readTypedParams(reader: XdrReader): ReadonlyMap<string, number | string> {
  return new Map(reader.array(MAX_PARAMS, () => [reader.string(), readValue(reader)] as const));
}

function readValue(reader: XdrReader): number | string {
  const type = reader.int();
  switch (type) {
    case 1:
    case 6:
      return reader.int();
    case 2:
      return reader.uint();
    case 3:
      return Number(reader.hyper());
    case 4:
      return Number(reader.unsignedHyper());
    case 5:
      return reader.double();
    case 7:
      return reader.string();
    default:
      throw malformed(`a value of type ${type}`);
  }
}
