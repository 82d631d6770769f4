/** Token ids below `vocab`. @param {number} size @param {number} vocab */
export const randomIds = (size, vocab) =>
  Int32Array.from({ length: size }, () => Math.floor(Math.random() * vocab));
