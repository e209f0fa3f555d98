import type { Migration } from '../migrations.ts';

/** Replaced by the part that owns these tables. */
export const migration: Migration = { name: '0004-images', sql: '' };
