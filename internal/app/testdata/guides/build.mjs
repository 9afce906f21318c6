// Builds a program for browsers or Node.js, as a bundler of an app does:
//
//   node build.mjs browser src/main.ts out.js
//
// It writes the scripts of components of Vue as TypeScript next to them, for tsc.
import { readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { compileScript, parse } from "vue/compiler-sfc";

const vue = {
  name: "vue",
  setup({ onLoad }) {
    onLoad({ filter: /\.vue$/ }, async ({ path }) => {
      const { descriptor, errors } = parse(await readFile(path, "utf8"), { filename: path });
      if (errors.length > 0) throw errors[0];
      const { content } = compileScript(descriptor, { id: "guide", inlineTemplate: true });
      await writeFile(`${path}.compiled.ts`, content);
      return { contents: content, loader: "ts" };
    });
  },
};

const [platform, from, to] = process.argv.slice(2);
await build({
  entryPoints: [from], bundle: true, format: "esm", outfile: to, platform, plugins: [vue], jsx: "automatic",
  packages: platform === "node" ? "external" : "bundle",
  define: {
    ...(platform === "browser" && { "process.env.NODE_ENV": '"production"', "process.env.NEXT_PUBLIC_BROKER_URL": JSON.stringify(process.env.NEXT_PUBLIC_BROKER_URL ?? "") }),
    __VUE_OPTIONS_API__: "false", __VUE_PROD_DEVTOOLS__: "false", __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
  },
});
