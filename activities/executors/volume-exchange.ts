/*
 * Shell that exchanges the entries of a directory with those that were extracted beside them. In
 * `<directory>/.lifeboat-restore` stand `new`, `old` and the marks `compared` (of a generation) and `moved`. Entries are
 * taken by patterns of the shell, so that any name is safe; POSIX sh, mv, rm, mkdir.
 */

/** Calls a function for each entry of a directory but ours and the file system's. */
const each = `
each() {
  for entry in "$2"/* "$2"/.[!.]* "$2"/..?*; do
    if [ ! -e "$entry" ] && [ ! -L "$entry" ]; then continue; fi
    case \${entry##*/} in .lifeboat-* | lost+found) continue ;; esac
    "$1" "$entry"
  done
}
`;

/**
 * Prints `done` where the marker of the generation is there, `compared` where its exchange has to go on, else makes room
 * and prints `empty`. An exchange that another generation left half done is taken back first. Arguments: directory,
 * generation.
 */
export const prepareDirectoryScript = `
set -eu
command -v tar >/dev/null || { echo "tar: executable file not found in the image" >&2; exit 127; }
cd "$1"
work=.lifeboat-restore
marker=$(cat .lifeboat-generation 2>/dev/null || :)
compared=$(cat $work/compared 2>/dev/null || :)
if [ "$marker" = "$2" ]; then rm -rf $work; echo done; exit; fi
if [ "$compared" = "$2" ]; then echo compared; exit; fi
${each}
if [ -n "$compared" ] && [ "$compared" != "$marker" ]; then
  drop() { rm -rf -- "$1"; }
  back() { mv -- "$1" ./; }
  [ ! -e $work/moved ] || each drop .
  each back $work/old
fi
rm -rf $work
mkdir -p $work/new $work/old
echo empty
`;

/**
 * Extracts stdin beside the live entries. Only root can give files to others; everybody else owns what he extracts.
 * Arguments: directory, more options of tar.
 */
export const extractScript = 'work=$1/.lifeboat-restore/new; shift; exec tar -C "$work" -xpf - --numeric-owner "$@"';

/** Moves the old entries away, then the new ones into place, then deletes the old ones. Arguments: directory, generation. */
export const exchangeEntriesScript = `
set -eu
cd "$1"
work=.lifeboat-restore
printf %s "$2" >$work/compared.new
mv $work/compared.new $work/compared
${each}away() { mv -- "$1" $work/old/; }
into() { mv -- "$1" ./; }
if [ ! -e $work/moved ]; then
  each away .
  sync 2>/dev/null || :
  : >$work/moved
fi
each into $work/new
sync 2>/dev/null || :
printf %s "$2" >.lifeboat-generation.new
mv .lifeboat-generation.new .lifeboat-generation
chmod -R u+w $work/old 2>/dev/null || :
rm -rf $work
`;
