import { type Digest, parseDigest } from '#/oci/digest.ts';
import type { Database, Row, Statement } from '#/state/db.ts';
import type {
  DeleteCondition,
  ManifestName,
  ManifestRecord,
  ManifestSummary,
  Manifests,
  Page,
  Referrer,
  ReferrersPage,
  StoredManifest,
  TagRecord,
} from './metadata.ts';
import { repositoryRows, type SqliteParts } from './sqlite-links.ts';

const ofRepository = 'repository = (SELECT id FROM repositories WHERE name = ?1)';

/** `Manifests` in SQLite. */
export class SqliteManifests implements Manifests {
  readonly #db: Database;
  readonly #now: () => number;
  readonly #durable: () => Promise<void>;
  readonly #repository: (name: string) => number;
  readonly #statements: Statements;

  constructor(db: Database, { now, durable }: SqliteParts) {
    this.#db = db;
    this.#now = now;
    this.#durable = durable;
    this.#repository = repositoryRows(db);
    this.#statements = prepare(db);
  }

  async put(repository: string, manifest: ManifestRecord, tags: readonly string[]): Promise<Digest[]> {
    const now = this.#now();
    const blobs = manifest.references.filter(({ kind }) => kind === 'blob').map(({ digest }) => digest);
    const lacking = this.#db.transaction(() => {
      const isMissing = (digest: Digest): boolean =>
        this.#statements.hasBlob.get(repository, digest) === undefined;
      const missing = [...new Set(blobs)].filter(isMissing);
      if (missing.length > 0) return missing;
      const row = this.#repository(repository);
      const { digest, mediaType, subject, artifactType, annotations, content } = manifest;
      const id = Number(
        this.#statements.put.get(
          row,
          digest,
          mediaType,
          subject ?? null,
          artifactType ?? null,
          annotations === undefined ? null : JSON.stringify(annotations),
          now,
          content.length,
          content,
        )?.['id'],
      );
      for (const reference of manifest.references) {
        this.#statements.refer.run(row, reference.digest, id, reference.kind);
        if (reference.kind === 'manifest') this.#statements.touch.run(repository, reference.digest, now);
      }
      for (const tag of tags) {
        // Who has just resolved the tag still pulls what it pointed to.
        this.#statements.touchTagged.run(repository, tag, now);
        this.#statements.tag.run(row, tag, id, now);
      }
      return [];
    });
    if (lacking.length === 0) await this.#durable();
    return lacking;
  }

  async get(repository: string, name: ManifestName): Promise<StoredManifest | undefined> {
    const row =
      'tag' in name
        ? this.#statements.byTag.get(repository, name.tag)
        : this.#statements.byDigest.get(repository, name.digest);
    if (row === undefined) return undefined;
    const content = row['content'] as Uint8Array;
    return {
      digest: String(row['digest']) as Digest,
      mediaType: String(row['media_type']),
      content: Buffer.from(content.buffer, content.byteOffset, content.byteLength),
    };
  }

  async delete(repository: string, digest: Digest, condition?: DeleteCondition): Promise<boolean> {
    const { changes } =
      condition === undefined
        ? this.#statements.delete.run(repository, digest)
        : this.#statements.deleteUntouched.run(repository, digest, condition.untouchedSince);
    await this.#durable();
    return Number(changes) > 0;
  }

  async touch(repository: string, digest: Digest): Promise<void> {
    this.#statements.touch.run(repository, digest, this.#now());
  }

  async referrers(
    repository: string,
    subject: Digest,
    { after = '', limit, artifactType }: ReferrersPage,
  ): Promise<Referrer[]> {
    return this.#statements.referrers
      .all(repository, subject, after, artifactType ?? null, limit)
      .map(referrerOf);
  }

  async tags(repository: string, { after = '', limit }: Page): Promise<string[]> {
    return this.#statements.tags.all(repository, after, limit).map((row) => String(row['name']));
  }

  async deleteTag(repository: string, tag: string, unchanged?: Omit<TagRecord, 'name'>): Promise<boolean> {
    const isDeleted = this.#db.transaction(() => {
      this.#statements.touchTagged.run(repository, tag, this.#now());
      const { digest = null, pushed = null } = unchanged ?? {};
      return Number(this.#statements.deleteTag.run(repository, tag, digest, pushed).changes) > 0;
    });
    await this.#durable();
    return isDeleted;
  }

  async tagRecords(repository: string): Promise<TagRecord[]> {
    return this.#statements.tagRecords.all(repository).map((row) => ({
      name: String(row['name']),
      digest: parseDigest(String(row['digest'])),
      pushed: Number(row['pushed']),
    }));
  }

  async summaries(repository: string): Promise<ManifestSummary[]> {
    return this.#statements.summaries.all(repository).map((row) => ({
      digest: parseDigest(String(row['digest'])),
      subject: row['subject'] === null ? undefined : parseDigest(String(row['subject'])),
      children: this.#statements.children
        .all(Number(row['id']))
        .map((child) => parseDigest(String(child['digest']))),
      isTagged: Number(row['tagged']) === 1,
      touched: Number(row['touched']),
    }));
  }
}

interface Statements {
  readonly hasBlob: Statement;
  readonly put: Statement;
  readonly refer: Statement;
  readonly tag: Statement;
  readonly byTag: Statement;
  readonly byDigest: Statement;
  readonly delete: Statement;
  readonly deleteUntouched: Statement;
  readonly touch: Statement;
  readonly touchTagged: Statement;
  readonly referrers: Statement;
  readonly tags: Statement;
  readonly deleteTag: Statement;
  readonly tagRecords: Statement;
  readonly summaries: Statement;
  readonly children: Statement;
}

function prepare(db: Database): Statements {
  return {
    hasBlob: db.prepare(`SELECT 1 FROM repository_blobs WHERE ${ofRepository} AND digest = ?2`),
    put: db.prepare(`
      INSERT INTO manifests
        (repository, digest, media_type, subject, artifact_type, annotations, touched, size, content)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (repository, digest) DO UPDATE SET
        media_type = excluded.media_type, subject = excluded.subject, artifact_type = excluded.artifact_type,
        annotations = excluded.annotations, touched = excluded.touched
      RETURNING id`),
    refer: db.prepare(`
      INSERT INTO manifest_references (repository, digest, manifest, kind) VALUES (?, ?, ?, ?)
      ON CONFLICT DO NOTHING`),
    tag: db.prepare(`
      INSERT INTO tags (repository, name, manifest, pushed) VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET manifest = excluded.manifest, pushed = excluded.pushed`),
    byTag: db.prepare(`
      SELECT m.digest, m.media_type, m.content FROM repositories r
      JOIN tags t ON t.repository = r.id AND t.name = ?2
      JOIN manifests m ON m.id = t.manifest
      WHERE r.name = ?1`),
    byDigest: db.prepare(`
      SELECT digest, media_type, content FROM manifests WHERE ${ofRepository} AND digest = ?2`),
    delete: db.prepare(`DELETE FROM manifests WHERE ${ofRepository} AND digest = ?2`),
    deleteUntouched: db.prepare(`
      DELETE FROM manifests WHERE ${ofRepository} AND digest = ?2 AND touched < ?3
        AND NOT EXISTS (SELECT 1 FROM tags WHERE manifest = manifests.id)`),
    touch: db.prepare(
      `UPDATE manifests SET touched = ?3 WHERE ${ofRepository} AND digest = ?2 AND touched < ?3`,
    ),
    touchTagged: db.prepare(`
      UPDATE manifests SET touched = ?3 WHERE touched < ?3 AND id = (
        SELECT manifest FROM tags WHERE ${ofRepository} AND name = ?2)`),
    referrers: db.prepare(`
      SELECT digest, media_type, size, artifact_type, annotations FROM manifests
      WHERE ${ofRepository} AND subject = ?2 AND digest > ?3 AND (?4 IS NULL OR artifact_type = ?4)
      ORDER BY digest LIMIT ?5`),
    tags: db.prepare(`SELECT name FROM tags WHERE ${ofRepository} AND name > ?2 ORDER BY name LIMIT ?3`),
    deleteTag: db.prepare(`
      DELETE FROM tags WHERE ${ofRepository} AND name = ?2
        AND (?3 IS NULL OR manifest IN (SELECT id FROM manifests m WHERE m.digest = ?3))
        AND (?4 IS NULL OR pushed = ?4)`),
    tagRecords: db.prepare(`
      SELECT t.name, m.digest, t.pushed FROM tags t JOIN manifests m ON m.id = t.manifest
      WHERE t.repository = (SELECT id FROM repositories WHERE name = ?1) ORDER BY t.name`),
    summaries: db.prepare(`
      SELECT id, digest, subject, touched, EXISTS (SELECT 1 FROM tags WHERE manifest = manifests.id) AS tagged
      FROM manifests WHERE ${ofRepository} ORDER BY digest`),
    children: db.prepare(`SELECT digest FROM manifest_references WHERE manifest = ? AND kind = 'manifest'`),
  };
}

function referrerOf(row: Row): Referrer {
  const { artifact_type: artifactType, annotations } = row;
  return {
    mediaType: String(row['media_type']),
    digest: parseDigest(String(row['digest'])),
    size: Number(row['size']),
    ...(typeof artifactType === 'string' ? { artifactType } : {}),
    ...(typeof annotations === 'string'
      ? { annotations: JSON.parse(annotations) as Record<string, string> }
      : {}),
  };
}
