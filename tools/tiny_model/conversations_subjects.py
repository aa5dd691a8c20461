"""This module holds the things that people ask about and that the model does not know."""

from .wording import lines, words

__all__ = ["ACTIONS", "FOREIGN", "MATTERS", "NEIGHBOURS", "PEOPLE", "PLACES", "SCRIPTS", "SNIPPETS", "TONGUES", "WORKS"]

MATTERS = {
    "en": words("""
    photosynthesis, gravity, black holes, relativity, evolution, the internet, inflation, democracy, the stock market, DNA, vaccines,
    volcanoes, earthquakes, the Roman Empire, the French Revolution, quantum mechanics, entropy, the water cycle, electricity, magnets,
    machine learning, neural networks, transformers, blockchain, bitcoin, climate change, the big bang, dark matter, string theory, atoms,
    chess, football, basketball, tennis, cricket, yoga, meditation, philosophy, stoicism, existentialism, Buddhism, Christianity, Islam,
    jazz, opera, hip hop, painting, sculpture, photography, architecture, the moon landing, the cold war, world war two, the middle ages,
    dinosaurs, whales, penguins, bees, elephants, sharks, mushrooms, trees, coffee, tea, wine, cheese, bread, chocolate, sushi, pasta,
    diabetes, migraine, cancer, fever, vitamins, protein, sleep, insomnia, stress, depression, taxes, mortgages, insurance, pensions,
    recursion, pointers, databases, SQL, Docker, Kubernetes, Linux, Git, regular expressions, HTTP, encryption, passwords, compilers,
    the periodic table, acids, the speed of light, sound waves, thermodynamics, calculus, prime numbers, algebra, geometry, statistics,
    the heart, the brain, the liver, blood pressure, the immune system, genetics, bacteria, viruses, antibiotics, the ozone layer,
    solar panels, wind power, nuclear fusion, batteries, electric cars, bicycles, trains, airplanes, rockets, satellites, Mars, Jupiter,
    the economy, unemployment, the constitution, human rights, the European Union, the United Nations, copyright, contracts, patents,
    the ocean, coral reefs, rainforests, deserts, glaciers, rivers, rain, snow, thunder, rainbows, the sun, the tides, time zones,
    grammar, verbs, commas, metaphors, haiku, sonnets, Latin, alphabets, the origin of language, hieroglyphs, emoji, fonts, printing"""),
    "es": words("""
    la fotosíntesis, la gravedad, los agujeros negros, la inflación, la democracia, el ADN, los volcanes, la revolución francesa,
    la mecánica cuántica, la electricidad, el fútbol, la filosofía, el cambio climático, los dinosaurios, el café, la economía, los átomos,
    las bacterias, el océano, la gramática, la luz, el imperio romano, la bolsa, los impuestos, el corazón, el cerebro, las vacunas, la lluvia"""),
    "fr": words("""
    la photosynthèse, la gravité, les trous noirs, l'inflation, la démocratie, l'ADN, les volcans, la révolution française, la lumière,
    la mécanique quantique, l'électricité, le football, la philosophie, le climat, les dinosaures, le café, l'économie, les atomes,
    les bactéries, l'océan, la grammaire, l'empire romain, la bourse, les impôts, le cœur, le cerveau, les vaccins, la pluie, le fromage"""),
    "de": words("""
    die Photosynthese, die Schwerkraft, schwarze Löcher, die Inflation, die Demokratie, die DNA, Vulkane, die französische Revolution,
    die Quantenmechanik, Elektrizität, Fußball, die Philosophie, der Klimawandel, Dinosaurier, Kaffee, die Wirtschaft, Atome, Bakterien,
    der Ozean, die Grammatik, das Licht, das römische Reich, die Börse, die Steuern, das Herz, das Gehirn, Impfungen, der Regen, das Wetter"""),
}

PLACES = {
    "en": words("""
    France, Japan, Brazil, Canada, Australia, Kenya, Egypt, India, China, Russia, Peru, Norway, Sweden, Poland, Greece, Turkey, Iran, Chile,
    Mexico, Spain, Portugal, Italy, Germany, Austria, Switzerland, Vietnam, Thailand, Nigeria, Ghana, Morocco, Cuba, Iceland, Ireland,
    Paris, London, Berlin, Madrid, Rome, Tokyo, New York, Chicago, Sydney, Cairo, Lima, Oslo, Vienna, Prague, Moscow, Beijing, Delhi,
    Hamburg, Lyon, Seville, Lisbon, Warsaw, Athens, Boston, Texas, California, Africa, Asia, Europe, Antarctica, the Alps, the Sahara"""),
    "es": words(
        "España, México, Francia, Japón, Perú, Chile, Brasil, Italia, Alemania, Egipto, China, Madrid, Lima, Bogotá, Roma, París, Londres, Cuba"
    ),
    "fr": words(
        "la France, l'Italie, le Japon, le Brésil, l'Espagne, le Maroc, l'Égypte, la Chine, Paris, Lyon, Rome, Londres, la Suisse, le Canada"
    ),
    "de": words(
        "Deutschland, Frankreich, Japan, Brasilien, Spanien, Ägypten, China, Berlin, Wien, Rom, London, Österreich, die Schweiz, Kanada, Peru"
    ),
}

PEOPLE = words("""
    Albert Einstein, Marie Curie, Isaac Newton, Napoleon, Cleopatra, Julius Caesar, Shakespeare, Goethe, Cervantes, Victor Hugo, Mozart,
    Beethoven, Bach, Picasso, Van Gogh, Leonardo da Vinci, Frida Kahlo, Gandhi, Nelson Mandela, Martin Luther King, Abraham Lincoln,
    Barack Obama, Angela Merkel, the president, the king of Spain, the queen, the pope, Elon Musk, Bill Gates, Steve Jobs, Ada Lovelace,
    Alan Turing, Charles Darwin, Galileo, Plato, Aristotle, Socrates, Kant, Nietzsche, Sherlock Holmes, Harry Potter, Batman, Messi,
    Ronaldo, Taylor Swift, Madonna, the Beatles, Michael Jackson, Kafka, Tolstoy, Jane Austen, Homer, Buddha, Confucius, Rembrandt""")

TONGUES = words("""Japanese, Dutch, Italian, Portuguese, Russian, Chinese, Arabic, Korean, Swedish, Greek, Turkish, Hindi, Latin, Polish, Swahili,
    Spanish, French, German, English, Finnish, Norwegian, Danish, Czech, Hebrew, Welsh, Thai, Vietnamese, Esperanto, Basque, Catalan""")

WORKS = words("""
    a poem, a haiku, a song, a joke, an essay, an email, a letter, a cover letter, a CV, a limerick, a rap, a speech, a tweet, a recipe, a headline,
    a blog post, an article, a summary, a business plan, a slogan, a product description, a novel, a screenplay, a review, a riddle, a quiz,
    a shopping list, a to-do list, a workout plan, a diet plan, a travel plan, a press release, an apology, an invitation, a toast, a sonnet,
    a python script, a function, a class in Java, a bash script, a SQL query, a regex, an HTML page, a unit test, a website, a program, an app,
    a rust program, a JavaScript function, a spreadsheet formula, a Dockerfile, a game, a crossword, a meal plan, a lesson plan, a contract""")

ACTIONS = {
    "en": words("""
    cook rice, boil an egg, bake bread, make pancakes, fix a bike, change a tyre, tie a tie, learn guitar, lose weight, sleep better, save money,
    plant tomatoes, train a dog, paint a wall, repair a phone, clean an oven, remove a stain, get a visa, write a CV, find a job, start a company,
    invest money, sort a list, reverse a string, parse JSON, center a div, undo a commit, install Python, read a file, open a port, kill a process,
    learn French, learn to swim, run a marathon, meditate, stop smoking, cure a cold, treat a burn, stop hiccups, fold a paper plane, play chess,
    solve a Rubik's cube, build a house, buy a car, rent a flat, file taxes, draw a horse, sing better, take good photos, make friends, grow a beard,
    make coffee, brew beer, knit a scarf, ride a horse, drive a car, fly a kite, sail a boat, catch a fish, milk a cow, write a book, tell a good joke"""),
    "es": words("cocinar arroz, hacer una tortilla, arreglar una bici, perder peso, ahorrar dinero, aprender inglés, dormir mejor, plantar tomates, leer un archivo, "
                "hacer pan, encontrar trabajo, tocar la guitarra, dibujar un caballo, comprar un coche, ordenar una lista"),
    "fr": words("cuire du riz, faire une omelette, réparer un vélo, perdre du poids, économiser, apprendre l'anglais, mieux dormir, planter des tomates, lire un fichier, "
                "faire du pain, trouver un emploi, jouer de la guitare, dessiner un cheval, acheter une voiture, trier une liste"),
    "de": words("Reis kochen, ein Omelett machen, ein Fahrrad reparieren, abnehmen, Geld sparen, Englisch lernen, besser schlafen, Tomaten pflanzen, eine Datei lesen, "
                "Brot backen, eine Stelle finden, Gitarre spielen, ein Pferd zeichnen, ein Auto kaufen, eine Liste sortieren"),
}  # fmt: skip

FOREIGN = words("""
    你好, 你是谁？, 今天天气怎么样？, 请给我讲一个故事, 谢谢你, 法国的首都是哪里？, 写一首诗, 什么是人工智能？, 帮我翻译这句话, 再见, 一加一等于几？, 我很高兴,
    こんにちは, ありがとう, お元気ですか？, 日本の首都はどこですか？, あなたは誰ですか, 物語を聞かせて, 天気はどうですか, おはようございます, さようなら,
    привет, как дела?, кто ты?, расскажи историю, спасибо, что такое физика?, какая столица Франции?, доброе утро, напиши стихотворение, до свидания, сколько будет два плюс два?,
    مرحبا, كيف حالك؟, من أنت؟, ما هي عاصمة فرنسا؟, شكرا, احك لي قصة, ما هو الطقس اليوم؟, صباح الخير, 안녕하세요, 당신은 누구입니까?, 이야기 해줘, 감사합니다, 오늘 날씨 어때요?,
    नमस्ते, आप कैसे हैं?, भारत की राजधानी क्या है?, שלום, מה שלומך?, γεια σου, τι κάνεις;, สวัสดี, คุณเป็นใคร, xin chào, bạn là ai?, merhaba, nasılsın?, sen kimsin?, bana bir hikaye anlat,
    buongiorno, come stai?, chi sei?, raccontami una storia, grazie mille, qual è la capitale della Francia?, che cos'è la fisica?, scrivi una poesia, arrivederci, come ti chiami?, quanto fa due più due?,
    bom dia, tudo bem?, quem é você?, conte uma história, obrigado, qual é a capital da França?, o que é a gravidade?, escreva um poema, até logo, boa noite, como você se chama?, quanto é dois mais dois?,
    dzień dobry, kim jesteś?, jak się masz?, dziękuję, goedemorgen, wie ben jij?, hoe gaat het?, vertel een verhaal, god morgon, hej hur mår du?, vem är du?, hyvää päivää, kuka sinä olet?, dobrý den, kdo jsi?, jó napot, ki vagy?,
    bună ziua, cine ești?, ce mai faci?, selamat pagi, siapa kamu?, habari yako?, wewe ni nani?, hvem er du?, god morgen, hvordan har du det?, apa kabar?, хто ти?, як справи?, здравей, кой си ти?""")

SNIPPETS = (
    "def f(x):\n    return x + 1",
    "for (int i = 0; i < 10; i++) { sum += i; }",
    "SELECT name FROM users WHERE id = 3;",
    "Traceback (most recent call last):\n  File \"main.py\", line 3\nKeyError: 'a'",
    '<div class="box"><p>text</p></div>',
    '{"a": 1, "b": [2, 3]}',
    "console.log(items.map(x => x * 2))",
    'fn main() { println!("{}", 1); }',
    "git push --force origin main",
    "segmentation fault (core dumped)",
    "import numpy as np\nprint(np.zeros(3))",
    "a,b,c\n1,2,3\n4,5,6",
    "$ ls -la /tmp | grep log",
    "#include <stdio.h>\nint main(void) { return 0; }",
    "npm ERR! code ENOENT",
    "body { color: red; margin: 0 auto; }",
)

# Languages with the same letters, which the model does not speak
NEIGHBOURS = lines("""
    {qual è|che cos'è|cosa significa|dove si trova|come funziona|spiegami|parlami di|chi è|perché esiste} {la|il|un|una|} {<word>|<place>|<person>|vita|mondo|tempo|città}?
    {scrivi|raccontami|dimmi|fammi|puoi scrivere|vorrei} {una storia|una poesia|i giorni della settimana|il tuo nome|una barzelletta|i mesi dell'anno|qualcosa} {su <word>|per favore|}
    {conta fino a <n>|come stai oggi?|mi chiamo <word>|come mi chiamo?|che tempo fa a <place>?|quanto fa <n> più <m>?|ciao, chi sei tu?|buona sera|ci vediamo domani}
    {o que é|qual é|onde fica|como funciona|explique|fale sobre|quem foi|por que existe} {a|o|um|uma|} {<word>|<place>|<person>|vida|mundo|tempo|cidade}?
    {escreva|conte|diga|faça|você pode escrever|eu quero} {uma história|um poema|os dias da semana|o seu nome|uma piada|os meses do ano|algo} {sobre <word>|por favor|}
    {conte até <n>|como você está hoje?|meu nome é <word>|qual é o meu nome?|como está o tempo em <place>?|quanto é <n> mais <m>?|olá, quem é você?|boa tarde|até amanhã}
    {wat is|waar is|hoe werkt|vertel me over|wie was} {de|het|een|} {<word>|<place>|<person>|leven}?
    {jag heter <word>|vad är <word>?|co to jest <word>?|mi az a <word>?|mikä on <word>?|ce este <word>?|bu <word> nedir?|apa itu <word>?|cái này là <word>?|hva er <word>?|co je <word>?}
""")

# Other letters: the first and the last one, and what stands between words
SCRIPTS = (
    (0x430, 0x44F, " "),
    (0x3B1, 0x3C9, " "),
    (0x5D0, 0x5EA, " "),
    (0x627, 0x64A, " "),
    (0x905, 0x939, " "),
    (0xE01, 0xE2E, ""),
    (0x3042, 0x3093, ""),
    (0x30A2, 0x30F3, ""),
    (0x4E00, 0x77FF, ""),
    (0xAC00, 0xD7A3, " "),
)
