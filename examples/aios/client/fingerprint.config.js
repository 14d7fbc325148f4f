/**
 * What a new build in the stores is not needed for: the version number, free-form data, npm scripts and
 * .gitignore change no native code, so they must not cut users off from updates over the air.
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
};
