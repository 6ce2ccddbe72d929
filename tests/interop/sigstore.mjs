// `node sigstore.mjs MODULES BUNDLE TRUSTED_ROOT IDENTITY ISSUER`: exits 0 when @sigstore/verify accepts the bundle
// with at least one timestamp and one log entry, and 3, printing its code, when it refuses.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [modules, bundle, root, subjectAlternativeName, issuer] = process.argv.slice(2);
const require = createRequire(`${resolve(modules)}/`);
const { bundleFromJSON } = require('@sigstore/bundle');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');
const { TrustedRoot } = require('@sigstore/protobuf-specs');
const json = (file) => JSON.parse(readFileSync(file, 'utf8'));

const trust = toTrustMaterial(TrustedRoot.fromJSON(json(root)));
// No certificate transparency log: the authority is a private one.
const thresholds = { ctlogThreshold: 0, tlogThreshold: 1, timestampThreshold: 1 };
try {
  const verifier = new Verifier(trust, thresholds);
  verifier.verify(toSignedEntity(bundleFromJSON(json(bundle))), { subjectAlternativeName, extensions: { issuer } });
} catch (error) {
  console.log(error.code ?? error.name, error.message);
  process.exit(3);
}
