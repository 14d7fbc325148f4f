/**
 * What a new build in the stores is not needed for: the version number, free-form data, npm scripts and
 * .gitignore change no native code, so they must not cut users off from updates over the air.
 *
 * Where a build looks for updates differs between staging and production, but what is native about the
 * two is the same. Without the address and the channel in the hash, both have one fingerprint.
 *
 * @type {import('@expo/fingerprint').Config}
 */
module.exports = {
  sourceSkips: [
    'ExpoConfigVersions',
    'ExpoConfigRuntimeVersionIfString',
    'ExpoConfigExtraSection',
    'PackageJsonScriptsAll',
    'GitIgnore',
  ],
  fileHookTransform: (source, chunk) => {
    if (source.type !== 'contents' || source.id !== 'expoConfig') return chunk;
    const { updates: { url, requestHeaders, ...updates } = {}, ...config } = JSON.parse(chunk.toString());
    return JSON.stringify({ ...config, updates });
  },
};
