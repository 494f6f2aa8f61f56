import type { SeedPod } from '../../sandbox-recipe.ts';

/** Installs the site and fills it: users, posts, comments, pages, and uploads with pictures and odd names. */
export async function seed(pod: SeedPod): Promise<void> {
  const said = await pod.run(['php'], script);
  if (!said.includes('seeded')) throw new Error(`seed wordpress: ${said.slice(-500)}`);
}

const script = String.raw`<?php
define('WP_INSTALLING', true);
define('DISABLE_WP_CRON', true);
$_SERVER['HTTP_HOST'] = 'localhost:8080';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REQUEST_METHOD'] = 'GET';
chdir('/var/www/html');
require './wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/image.php';
// The sandbox must not send mail.
add_filter('pre_wp_mail', '__return_true');
define('WP_SITEURL', 'http://localhost:8080');
wp_install('Lifeboat: the sandbox', 'admin', 'admin@example.org', true, '', 'wordpress-of-the-sandbox');

$authors = [];
foreach (range(1, 20) as $i) {
	$authors[] = wp_insert_user(['user_login' => "author$i", 'user_pass' => "secret $i", 'user_email' => "author$i@example.org", 'display_name' => "Zoë $i", 'role' => $i % 2 ? 'author' : 'editor']);
}
$rubric = wp_insert_term('Häfen & Boote', 'category')['term_id'];

$pictures = [];
foreach (['plain.png', 'with space.png', 'bild-ä.png', "it's; odd.png", 'UPPER.PNG'] as $i => $name) {
	$canvas = imagecreatetruecolor(700, 500);
	imagefilledrectangle($canvas, 0, 0, 700, 500, imagecolorallocate($canvas, 30 * $i, 90, 200));
	for ($n = 0; $n < 400; $n++) imagesetpixel($canvas, $n * 31 % 700, $n * 17 % 500, imagecolorallocate($canvas, $n % 256, 255, 0));
	ob_start();
	imagepng($canvas);
	$folder = wp_upload_dir('2026/0' . ($i + 1));
	$path = $folder['path'] . '/' . $name;
	file_put_contents($path, ob_get_clean());
	$id = wp_insert_attachment(['post_mime_type' => 'image/png', 'post_title' => $name, 'post_status' => 'inherit'], $path);
	wp_update_attachment_metadata($id, wp_generate_attachment_metadata($id, $path));
	$pictures[] = $id;
}
$uploads = wp_upload_dir('2026/06')['path'];
file_put_contents("$uploads/random.bin", random_bytes(300000));
file_put_contents("$uploads/empty.txt", '');
file_put_contents("$uploads/line\nbreak.txt", "a name with a line break\n");
file_put_contents("$uploads/-dash first.txt", "a name that looks like an option\n");
symlink('random.bin', "$uploads/link.bin");
mkdir("$uploads/empty folder");

foreach (range(1, 300) as $i) {
	$post = wp_insert_post([
		'post_title' => "Post $i: ahoy 🚲", 'post_content' => str_repeat("<p>Paragraph $i, \"quoted\" and 'single'.</p>\n", 1 + $i % 10), 'post_status' => $i % 7 ? 'publish' : 'draft',
		'post_author' => $authors[$i % 20], 'post_category' => [$rubric], 'tags_input' => ["tag$i", 'common'], 'post_date' => date('Y-m-d H:i:s', 1767225600 + $i * 3600),
	]);
	if ($i % 10 === 0) set_post_thumbnail($post, $pictures[$i % 5]);
	for ($c = 0; $c < $i % 4; $c++) wp_insert_comment(['comment_post_ID' => $post, 'comment_author' => "Guest $c", 'comment_author_email' => "g$c@example.org", 'comment_content' => "Comment $c to $i", 'comment_approved' => $c % 2]);
}
wp_insert_post(['post_type' => 'page', 'post_title' => 'About', 'post_content' => 'About the sandbox.', 'post_status' => 'publish']);
echo "seeded\n";
`;
