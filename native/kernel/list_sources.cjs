// Prints the sources of the addon, one a line, for binding.gyp; CMakeLists.txt reads the same JSON itself.
const { core, addon } = require('./sources.json');

for (const file of [...core, ...addon]) console.log(`native/kernel/${file}`);
